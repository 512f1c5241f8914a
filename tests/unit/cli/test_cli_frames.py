"""What a watcher believes, frame by frame."""

import pytest

from cli.frames import Watched, ending, reduce
from tests.unit.cli.fake_gateway import told


def folded(watched: Watched, *frames: dict) -> tuple[Watched, list[int]]:
    """The state after all frames, and the versions that were shown."""
    shown = []
    for frame in frames:
        watched, news = reduce(watched, frame)
        if news is not None:
            shown.append(news["version"])
    return watched, shown


def test_versions_only_grow_within_an_epoch():
    frames = [told("snapshot", 3), told("update", 5), told("update", 4), told("update", 5), told("snapshot", 2)]
    assert folded(Watched.start(["d1"]), *frames)[1] == [3, 5]


def test_a_snapshot_of_a_new_epoch_replaces_a_higher_version():
    watched, shown = folded(Watched.start(["d1"]), told("snapshot", 900), told("snapshot", 7, epoch="e2"))
    assert shown == [900, 7]
    assert watched.have == {"d1": ("e2", 7)}


def test_a_late_update_of_the_old_epoch_is_dropped():
    frames = [told("snapshot", 7, epoch="e2"), told("update", 901, epoch="e1"), told("update", 8, epoch="e2")]
    assert folded(Watched.start(["d1"]), *frames)[1] == [7, 8]


def test_an_update_before_the_first_snapshot_counts_because_it_is_the_whole_state():
    assert folded(Watched.start(["d1"]), told("update", 4), told("snapshot", 3))[1] == [4]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_terminal_status_ends_the_watching(status):
    watched, _ = folded(Watched.start(["d1"]), told("snapshot", 3, status))
    assert watched.open == ()
    assert watched.ended == {"d1": status}


@pytest.mark.parametrize("status", ["uploaded", "processing", "processed", "retrying", "cancelling"])
def test_any_other_status_keeps_it_open(status):
    assert folded(Watched.start(["d1"]), told("snapshot", 3, status))[0].open == ("d1",)


def test_a_deleted_document_has_ended_and_later_frames_are_silent():
    deleted = {"op": "deleted", "document_id": "d1", "epoch": "e1", "version": 6}
    watched, shown = folded(Watched.start(["d1"]), told("snapshot", 3), deleted, told("update", 7))
    assert shown == [3, 6]
    assert watched.ended == {"d1": "deleted"}


def test_a_document_known_as_failed_stays_open_until_something_newer_is_told():
    watched = Watched.start(["d1"], have={"d1": ("e1", 10)})
    watched, shown = folded(watched, {"op": "current", "ref": 0}, told("snapshot", 10, "failed"))
    assert (watched.open, shown) == (("d1",), [])
    watched, shown = folded(watched, told("update", 11), told("update", 12, "completed"))
    assert (watched.ended, shown) == ({"d1": "completed"}, [11, 12])


def test_subscriptions_resume_with_what_was_seen_and_leave_out_what_ended():
    watched, _ = folded(Watched.start(["a", "b", "c"]), told("snapshot", 3, "completed", "a"),
                        told("snapshot", 8, document_id="c"))  # fmt: skip
    assert watched.subscriptions() == [
        {"op": "subscribe", "ref": 1, "document_id": "b"},
        {"op": "subscribe", "ref": 2, "document_id": "c", "have": {"epoch": "e1", "version": 8}},
    ]


def test_an_error_that_answers_a_subscription_ends_that_document_alone():
    error = {"op": "error", "ref": 1, "error": {"code": "document.not_found"}}
    watched, shown = reduce(Watched.start(["a", "b"]), error)
    assert watched.ended == {"b": "refused"}
    assert watched.open == ("a",)
    assert shown == {**error, "document_id": "b"}


def test_an_error_about_nothing_asked_for_changes_nothing():
    watched = Watched.start(["a"])
    assert reduce(watched, {"op": "error", "error": {"code": "frame.bad"}}) == (watched, None)
    assert reduce(watched, {"op": "error", "ref": 7, "error": {"code": "frame.bad"}}) == (watched, None)


def test_frames_of_documents_nobody_asked_for_are_ignored():
    watched = Watched.start(["a"])
    assert reduce(watched, told("update", 3, document_id="z")) == (watched, None)


def test_a_document_asked_for_twice_is_subscribed_once():
    assert len(Watched.start(["a", "a"]).subscriptions()) == 1


def test_each_kind_of_frame_says_how_it_ends_its_document():
    assert ending(told("update", 1)) is None
    assert ending(told("update", 1, "failed")) == "failed"
    assert ending({"op": "deleted"}) == "deleted"
    assert ending({"op": "error"}) == "refused"
