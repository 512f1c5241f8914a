"""Standalone jobs: what their facts make of them, and how ticks are merged."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.document import NotAnEnvelope, decode, decode_progress
from shared.events.standalone_job import ENDED, JobState, OfJob, evolve, is_job_id, job_id_of
from tests.support.job_facts import COMPLETED, FAILED, JOB, NOON, STARTED, silent, tick


def fold(*facts: OfJob) -> JobState:
    state = None
    for fact in facts:
        state = evolve(state, fact)
    assert state
    return state


@pytest.mark.parametrize("fact", [STARTED, silent(0), COMPLETED, FAILED])
def test_a_fact_is_read_as_it_was_said(fact: OfJob) -> None:
    assert decode(fact.encode()) == fact


def test_before_its_start_there_is_no_job() -> None:
    assert evolve(None, COMPLETED) is None


def test_a_started_job_runs() -> None:
    state = fold(STARTED)
    assert (state.status, state.kind, state.version, state.last_event) == (
        "running",
        "import",
        1_000_000,
        STARTED.event_id,
    )


@pytest.mark.parametrize(("end", "status", "percent"), [(COMPLETED, "completed", 100.0), (FAILED, "failed", 40.0)])
def test_the_first_end_is_the_end(end: OfJob, status: str, percent: float) -> None:
    state = fold(STARTED, end)
    assert (state.status, state.percent, state.completed_at) == (status, percent, end.at)
    for late in (STARTED, COMPLETED, FAILED, silent(5)):
        assert evolve(state, late) is state


def test_a_second_silence_is_news_and_the_first_one_again_is_not() -> None:
    state = fold(STARTED, silent(0))
    assert evolve(state, silent(0)) is state
    later = fold(STARTED, silent(0), silent(70))
    assert later.silent_since == NOON + timedelta(seconds=70)
    assert evolve(later, silent(0)) is later


@given(st.lists(st.sampled_from([STARTED, silent(0), silent(70), COMPLETED, FAILED]), max_size=12), st.data())
def test_saying_facts_twice_changes_nothing(facts: list[OfJob], data: st.DataObject) -> None:
    told = [STARTED, *facts]
    again = [fact for n, fact in enumerate(told) for fact in (*([told[data.draw(st.integers(0, n))]]), fact)]
    once, twice = fold(*told), fold(*again)
    if once.status in ENDED:
        assert twice.status == once.status
    assert (twice.silent_since, twice.code, twice.percent) == (once.silent_since, once.code, once.percent)


@pytest.mark.parametrize(("key", "is_job"), [(JOB, True), ("rebuild-k3f9aa", True), (JOB[4:], False), ("job-", False)])
def test_a_job_is_told_from_a_document_by_its_id(key: str, is_job: bool) -> None:
    assert is_job_id(key) is is_job


def test_a_key_names_one_job_of_one_tenant() -> None:
    assert job_id_of("acme", "a") == job_id_of("acme", "a")
    assert len({job_id_of("acme", "a"), job_id_of("acme", "b"), job_id_of("other", "a")}) == 3
    assert is_job_id(job_id_of("acme", "a"))


def test_a_tick_is_read_as_it_was_said() -> None:
    assert decode_progress(tick(4, "x").encode()) == tick(4, "x")


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_tick_beyond_the_job_is_no_tick(percent: float) -> None:
    with pytest.raises(NotAnEnvelope):
        decode_progress(tick(4).encode().replace(b"4.0", str(percent).encode()))


def test_merged_ticks_say_what_both_said() -> None:
    assert tick(4, "a").followed_by(tick(None, "b", 1)) == tick(4, "b", 1)
    assert tick(4, "a").followed_by(tick(5, None, 1)) == tick(5, "a", 1)
    assert tick(6).followed_by(tick(5, "a", 1)) == tick(6, "a", 1)
