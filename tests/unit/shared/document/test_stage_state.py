"""The fold of one stage: attempts, plans, slices, and who speaks too late."""

from typing import Any

import pytest

from shared.document.state import evolve
from shared.events.document import CONCLUDE, PLAN
from tests.support.document_facts import (
    BAD_PAGE,
    BUSY,
    CANCELLED,
    FAILED,
    PARTIAL_OCR,
    RETRYING,
    RUNNING,
    UPLOADED,
    at,
    concluded,
    done,
    failed,
    fold,
    given_up,
    lost,
    planned,
    requested,
    retry,
    scheduled,
    started,
)


def named(fact: Any) -> str:
    return "-".join(str(getattr(fact, name, "")) for name in ("type", "stage", "attempt", "slice", "run"))


@pytest.mark.parametrize("fact", [done(1), failed(2), lost(2)], ids=named)
def test_a_slice_of_another_plan_changes_nothing(fact) -> None:
    before = fold(RUNNING)

    assert evolve(before, fact.model_copy(update={"plan": "another"})) is before


@pytest.mark.parametrize("number", [-3, CONCLUDE, PLAN, 3, 10**9])
def test_a_result_of_a_slice_that_was_never_planned_changes_nothing(number) -> None:
    before = fold(RUNNING)

    assert evolve(before, done(number)) is before


def test_of_two_planners_the_first_in_the_log_counts() -> None:
    state = fold([*RUNNING, planned(slices=99, plan="another")])

    assert (state.stages["ocr"].plan, state.stages["ocr"].slices) == ("ocr-plan", 3)


def test_a_plan_that_came_after_all_takes_back_the_failure_to_plan() -> None:
    state = fold([*UPLOADED, started(), failed(PLAN, plan=None), planned()])

    assert not state.stages["ocr"].failed


def test_a_failed_attempt_waits_for_a_retry_and_knows_when() -> None:
    waiting = fold([*RETRYING, scheduled(due=10)])

    assert waiting.status == "retrying"
    assert waiting.stages["ocr"].due_at == at(10)


def test_a_retry_that_is_scheduled_twice_is_due_when_it_was_said_first() -> None:
    assert fold([*RETRYING, scheduled(due=10), scheduled(due=99)]).stages["ocr"].due_at == at(10)


def test_the_schedule_of_an_earlier_attempt_does_not_move_a_later_one() -> None:
    log = [*RETRYING, scheduled(due=10), requested(), started(attempt=2), failed(1, attempt=2), given_up(attempt=2)]

    assert fold([*log, scheduled(attempt=2, due=10)]).stages["ocr"].due_at is None


def test_a_new_attempt_keeps_what_is_done_and_forgets_what_failed() -> None:
    job = fold([*RETRYING, scheduled(), requested()]).stages["ocr"]

    assert (job.status, job.attempt, job.plan, job.done) == ("pending", 2, "ocr-plan", 0b1)
    assert (job.failed, job.error, job.due_at, job.started_at) == ({}, None, None, None)


def test_attempts_are_counted_within_the_run_that_a_person_asked_for() -> None:
    job = fold([*FAILED, retry(), requested(run=2)]).stages["ocr"]

    assert (job.attempt, job.first_attempt, job.run) == (2, 2, 2)


@pytest.mark.parametrize(
    "fact", [started(), planned(plan="another"), failed(2), lost(2), concluded(), given_up(final=True)], ids=named
)
@pytest.mark.parametrize(
    "log", [RETRYING, [*RETRYING, scheduled()], [*RETRYING, requested()], [*FAILED, retry()]],
    ids=["ended", "scheduled", "requested", "asked for"],
)  # fmt: skip
def test_what_a_zombie_says_about_an_attempt_that_has_ended_changes_nothing(log, fact) -> None:
    before = fold(log)

    assert evolve(before, fact) is before


@pytest.mark.parametrize(
    "log", [RETRYING, [*RETRYING, requested()], [*FAILED, retry()]], ids=["ended", "requested", "asked for"]
)
def test_a_result_of_an_earlier_attempt_with_the_same_plan_counts(log) -> None:
    assert fold([*log, done(2)]).stages["ocr"].has(2)


def test_a_request_of_an_earlier_run_does_not_start_an_attempt() -> None:
    before = fold([*CANCELLED, retry()])

    assert evolve(before, requested(run=1)) is before


def test_a_request_that_nobody_waits_for_changes_nothing() -> None:
    before = fold([*RUNNING, *(done(n) for n in range(3)), concluded()])

    assert evolve(before, requested()) is before


# --- lost workers -------------------------------------------------------------------------------------------------


def test_a_lost_worker_is_the_last_word_until_anything_is_done() -> None:
    assert fold([*RUNNING, lost(1)]).stages["ocr"].lost == {1}
    assert fold([*RUNNING, lost(1), done(0)]).stages["ocr"].lost == set()
    assert fold([*RUNNING, lost(1), failed(1)]).stages["ocr"].lost == set()


def test_a_loss_that_is_said_again_after_the_work_went_on_changes_nothing() -> None:
    before = fold([*RUNNING, lost(1), done(0)])

    assert evolve(before, lost(1)) is before
    after = evolve(before, lost(1, strike=2))
    assert after
    assert after.stages["ocr"].lost == {1}


def test_planning_can_be_lost_before_there_is_a_plan_but_not_afterwards() -> None:
    assert fold([*UPLOADED, started(), lost(PLAN, plan=None)]).stages["ocr"].lost == {PLAN}
    assert fold([*RUNNING, lost(PLAN, plan=None)]) == fold(RUNNING)


def test_weights_and_pages_of_what_is_done_are_added_up() -> None:
    job = fold([*RUNNING, done(0, weight=2.0, pages=(1, 32)), done(1, weight=0.5, pages=(33, 33))]).stages["ocr"]

    assert (job.done_weight, job.pages_done) == (2.5, 33)


def test_a_partial_result_names_the_first_of_its_failures() -> None:
    job = fold(PARTIAL_OCR).stages["ocr"]

    assert (job.partial, job.error, set(job.failed)) == (True, BAD_PAGE, {2})


def test_a_failure_to_conclude_is_forgotten_when_the_stage_concludes() -> None:
    job = fold([*RUNNING, done(0), done(1), failed(2), failed(CONCLUDE, error=BUSY), concluded(partial=True)]).stages[
        "ocr"
    ]

    assert set(job.failed) == {2}
