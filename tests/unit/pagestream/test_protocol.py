"""What a watcher believes, frame by frame."""

from dataclasses import replace
from functools import reduce as fold
from typing import Any

import pytest

from pagestream.protocol import DOCUMENTS, MAX_ROWS, Position, State, Target, reduce, subscription, target_of
from tests.support.fake_gateway import told

D1 = Target.of_id("d1")
MAY = Target.batch("May")


def after(*frames: dict[str, Any], state: State | None = None) -> State:
    return fold(reduce, frames, state or State(D1))


def versions(*frames: dict[str, Any]) -> list[int]:
    """The versions that change anything."""
    state, shown = State(D1), []
    for frame in frames:
        before, state = state, reduce(state, frame)
        if state is not before and not state.is_lost:
            assert state.position
            shown.append(state.position.version)
    return shown


def rows(*ids: str, epoch: str = "e1", version: int = 1) -> list[dict[str, Any]]:
    return [told("snapshot", version, document_id=name, epoch=epoch)["document"] for name in ids]


def feed(*ids: str, **more: Any) -> dict[str, Any]:
    return {"op": "snapshot", "feed": "documents", "epoch": "e1", "version": 1, "documents": rows(*ids), **more}


def row(op: str, version: int, name: str, **more: Any) -> dict[str, Any]:
    return {**told(op, version, document_id=name), "feed": "documents", **more}


def test_versions_only_grow_within_an_epoch() -> None:
    frames = [told("snapshot", 3), told("update", 5), told("update", 4), told("update", 5), told("snapshot", 2)]
    assert versions(*frames) == [3, 5]


def test_a_snapshot_of_a_new_epoch_replaces_a_higher_version() -> None:
    assert versions(told("snapshot", 900), told("snapshot", 7, epoch="e2")) == [900, 7]


def test_an_update_of_another_epoch_asks_for_a_snapshot_and_leaves_what_is_shown() -> None:
    lost = after(told("snapshot", 5), told("update", 900, epoch="e0"))
    assert lost.view
    assert (lost.is_lost, lost.view["version"]) == (True, 5)
    assert "have" not in subscription(lost, 1)
    assert after(told("snapshot", 6), state=lost).position == Position("e1", 6)
    assert after(told("snapshot", 5), state=lost).is_lost is False
    assert after(told("update", 901, epoch="e0"), state=lost) is lost


def test_an_update_before_the_first_snapshot_counts_because_it_is_the_whole_state() -> None:
    assert versions(told("update", 4), told("snapshot", 3)) == [4]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_document_that_has_ended_may_be_retried_and_is_followed_on(status: str) -> None:
    ended = after(told("snapshot", 3, status))
    assert (ended.ending, ended.is_over) == (status, False)
    assert after(told("update", 4), state=ended).ending is None


def test_a_deleted_document_has_ended_and_later_frames_are_silent() -> None:
    deleted = after(told("snapshot", 3), {"op": "deleted", "document_id": "d1", "epoch": "e1", "version": 6})
    assert (deleted.ending, deleted.is_over, deleted.view) == ("deleted", True, None)
    assert after(told("update", 7), state=deleted) is deleted


def test_what_is_known_is_resumed_and_only_what_is_newer_counts() -> None:
    state = State(D1, position=Position("e1", 10))
    assert subscription(state, 3)["have"] == {"epoch": "e1", "version": 10}
    current = after({"op": "current", "ref": 0}, state=state)
    assert (current.status, current.view) == ("live", None)
    assert after(told("snapshot", 10, "failed"), state=current) is current
    newer = after(told("update", 11), state=current)
    assert newer.view
    assert newer.view["version"] == 11


def test_an_error_ends_a_subscription_and_is_told_with_what_it_is_about() -> None:
    refused = after({"op": "error", "ref": 1, "error": {"code": "document.not_found"}})
    assert refused.error
    assert (refused.ending, refused.error["code"]) == ("refused", "document.not_found")
    assert refused.frame["document_id"] == "d1"


def test_a_frame_of_a_newer_gateway_changes_nothing() -> None:
    state = after(told("snapshot", 3))
    assert after({"op": "hello"}, state=state) is state


def test_every_target_is_found_again_in_the_frames_about_it() -> None:
    for target in (D1, Target.of_id("job-abcd"), DOCUMENTS, MAY):
        assert target_of({"op": "snapshot", **target.fields}) == target
    assert target_of({"op": "unsubscribed", "ref": 1}) is None
    assert Target.of_id("rebuild-20250101").kind == "job"


def test_the_rows_of_a_feed_are_compared_one_by_one_and_a_deleted_one_stays_away() -> None:
    state = after(feed("a", "b"), row("update", 2, "a"), row("update", 1, "b"), state=State(DOCUMENTS))
    assert {name: each["version"] for name, each in state.rows.items()} == {"a": 2, "b": 1}
    state = after(row("deleted", 3, "a"), row("update", 4, "a"), state=state)
    assert set(state.rows) == {"b"}
    assert "have" not in subscription(state, 1)


def test_a_feed_of_another_epoch_is_asked_for_anew_and_then_replaced() -> None:
    state = after(feed("a"), row("update", 2, "a", epoch="e2"), state=State(DOCUMENTS))
    assert state.is_lost
    assert set(after(feed("c", epoch="e2"), state=state).rows) == {"c"}


def test_a_batch_carries_how_far_it_is_together() -> None:
    together = {"status": "processing", "percent": 40.0, "total": 2, "done": 0, "failed": 0, "cancelled": 0}
    names = {"feed": "batch", "batch": "May"}
    state = after(feed("a", **names, progress=together), state=State(MAY))
    assert (state.progress, set(state.rows)) == (together, {"a"})
    changed = {**row("update", 2, "a", **names), "progress": {**together, "percent": 60.0}}
    progress = after(changed, state=state).progress
    assert progress
    assert progress["percent"] == 60.0


def test_a_feed_that_is_followed_for_weeks_keeps_its_newest_rows() -> None:
    state = after(feed(), state=State(DOCUMENTS))
    for n in range(MAX_ROWS + 1):
        frame = row("update", 1, f"d{n}")
        frame["document"] = {**frame["document"], "uploaded_at": f"{n:06}"}
        state = reduce(state, frame)
    assert len(state.rows) == MAX_ROWS
    assert "d0" not in state.rows


def test_the_same_snapshot_after_a_reconnect_changes_nothing() -> None:
    state = after(feed("a", "b"), state=State(DOCUMENTS))
    assert after(feed("a", "b"), state=state) is state
    assert replace(state, frame={}) != state
