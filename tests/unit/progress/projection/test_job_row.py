"""Standalone jobs as people see them."""

from datetime import timedelta
from typing import Any

import bson
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from services.progress.projection import job_row as projection
from services.progress.projection.job_row import JobRow
from shared.events.standalone_job import JobProgress, OfJob
from tests.support.job_facts import COMPLETED, FAILED, JOB, NOON, STARTED, silent, tick

AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)


def project(*items: OfJob | JobProgress) -> JobRow:
    kept = None
    for offset, item in enumerate(items):
        if isinstance(item, JobProgress):
            assert kept
            kept = projection.tick(kept, item)
        else:
            kept = projection.take(kept, item, offset)
    assert kept
    return kept


def view(*items: OfJob | JobProgress) -> dict[str, Any]:
    return projection.render(project(*items), "k3f9")


def test_a_job_that_says_nothing_is_started_and_at_zero() -> None:
    shown = view(STARTED)

    assert (shown["status"], shown["percent"], shown["message"]["text"]) == ("running", 0.0, "Started")
    assert (shown["job_id"], shown["type"], shown["error"]) == (JOB, "import", None)


def test_the_percent_never_falls_and_never_reaches_100_before_the_end() -> None:
    assert view(STARTED, tick(50), tick(20))["percent"] == 50.0
    assert view(STARTED, tick(100))["percent"] == 99.9
    assert view(STARTED, tick(50), COMPLETED)["percent"] == 100.0


def test_a_tick_without_a_word_is_a_sign_of_life_only() -> None:
    shown = view(STARTED, tick(50, "half"), tick(when=30))

    assert (shown["percent"], shown["message"]["text"]) == (50.0, "half")
    assert shown["updated_at"] == "2026-03-14T12:00:30.000Z"


def test_the_reason_is_the_workers_own_where_it_gave_one() -> None:
    plain, own = (
        project(STARTED, FAILED),
        projection.worded(project(STARTED, FAILED), {"message": "Full.", "action": ""}),
    )

    assert view(STARTED, FAILED)["percent"] == 40.0
    assert projection.render(own, "e")["error"]["message"] == "Full."
    assert projection.render(own, "e")["message"]["text"] == "Failed: Full."
    assert projection.render(plain, "e")["error"]["message"] == "It failed with quota."


def test_a_silent_job_is_stalled_until_it_is_heard_of() -> None:
    assert view(STARTED, silent(0))["status"] == "stalled"
    assert view(STARTED, silent(0), tick(when=61))["status"] == "running"
    assert view(STARTED, tick(when=5), silent(0))["status"] == "running"  # it was heard of meanwhile
    assert view(STARTED, silent(0), COMPLETED)["status"] == "completed"


def test_a_job_is_due_when_it_has_been_silent_for_as_long_as_it_promised() -> None:
    assert project(STARTED).due == NOON + timedelta(seconds=60)
    assert project(STARTED, tick(when=5)).due == NOON + timedelta(seconds=65)
    assert project(STARTED, silent(0)).due is None
    assert project(STARTED, COMPLETED).due is None
    assert project(STARTED.model_copy(update={"silent_after": None})).due is None


def test_what_is_said_of_a_silence_is_the_same_whoever_says_it() -> None:
    one, other = (projection.stalled(project(STARTED), NOON + timedelta(seconds=after)) for after in (60, 75))

    assert one.event_id == other.event_id
    assert projection.stalled(project(STARTED, tick(when=90)), NOON).event_id != one.event_id


def test_an_estimate_needs_evidence_and_is_a_range() -> None:
    assert view(STARTED, tick(50, when=1))["eta_seconds"] is None
    assert view(STARTED, tick(4, when=10))["eta_seconds"] is None
    assert view(STARTED, tick(50, when=10))["eta_seconds"] == {"low": 8, "high": 14}
    assert view(STARTED, tick(50, when=10), COMPLETED)["eta_seconds"] is None


moments = st.integers(0, 500_000).map(lambda ms: ms / 1000)  # seconds; the database keeps milliseconds
ticks = st.builds(tick, st.one_of(st.none(), st.floats(0, 100)), st.one_of(st.none(), st.just("x")), moments)
items = st.lists(st.one_of(ticks, st.sampled_from([STARTED, silent(0), silent(99), COMPLETED, FAILED])), max_size=15)


@given(items)
def test_percent_and_version_only_grow_and_a_stored_job_is_the_same_job(told) -> None:
    kept = project(STARTED)
    for offset, item in enumerate(told, start=1):
        before = kept
        is_tick = isinstance(item, JobProgress)
        kept = projection.tick(kept, item) if is_tick else projection.take(kept, item, offset)
        shown, earlier = projection.render(kept, "e"), projection.render(before, "e")
        assert shown["version"] >= earlier["version"]
        if shown["status"] != "failed":
            assert shown["percent"] >= earlier["percent"]
        if shown != earlier:
            assert shown["version"] > earlier["version"]
        stored = projection.from_row(bson.decode(bson.encode(projection.to_row(kept, "e")), AWARE))
        assert projection.render(stored, "e") == shown
