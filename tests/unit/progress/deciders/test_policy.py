"""The policy: given a settled state and a time, which facts are due."""

from datetime import timedelta

import pytest

from services.progress.deciders import policy
from shared.events.document import PLAN
from tests.support.document_facts import (
    BUSY,
    NOON,
    at,
    cancel,
    cancelled,
    completed,
    concluded,
    deleted,
    done,
    erased,
    failed,
    fold,
    given_up,
    planned,
    requested,
    retry,
    scheduled,
    started,
    uploaded,
    whole,
)

RETRYING = [uploaded(), started(), planned(), failed(1), given_up()]
PROCESSED = [uploaded(), *whole("ocr"), *whole("chunk"), *whole("extract")]


def due(log, now=NOON, *, stored=True, at_work=False):
    return list(policy.decide(fold(log), now, stored=stored, at_work=at_work))


def test_a_document_is_completed_once_its_results_are_stored() -> None:
    assert due(PROCESSED, stored=False) == []

    [fact] = due(PROCESSED, stored=True)

    assert (fact.type, fact.run) == ("DocumentCompleted", 1)
    assert fold([*PROCESSED, fact]).status == "completed"


def test_a_cancel_is_finished_once_nobody_is_at_work() -> None:
    log = [uploaded(), started(), cancel()]

    assert due(log, at_work=True) == []
    assert [fact.type for fact in due(log, at_work=False)] == ["DocumentCancelled"]


def test_a_deleted_document_is_erased_once_nobody_is_at_work_and_only_once() -> None:
    log = [uploaded(), started(), deleted()]

    assert due(log, at_work=True) == []
    assert [fact.type for fact in due(log)] == ["DocumentErased"]
    assert due([*log, erased()]) == []


def test_a_retryable_failure_is_scheduled_and_requested_when_it_is_due() -> None:
    [plan] = due(RETRYING, at(5))
    assert (plan.type, plan.stage, plan.attempt, plan.error) == ("RetryScheduled", "ocr", 2, BUSY)

    log = [*RETRYING, plan]
    assert due(log, plan.due_at - timedelta(milliseconds=1)) == []

    [request] = due(log, plan.due_at)
    assert (request.type, request.attempt, request.run) == ("StageRequested", 2, 1)
    assert fold([*log, request]).stages["ocr"].attempt == 2


@pytest.mark.parametrize(
    "log",
    [
        PROCESSED,
        RETRYING,
        [*RETRYING, scheduled(due=10)],
        [uploaded(), cancel()],
        [uploaded(), deleted()],
        [uploaded(), cancel(), cancelled(), retry()],
    ],
)
def test_asked_again_in_the_same_state_it_says_the_same_with_the_same_ids(log) -> None:
    first, again = due(log, at(20)), due(log, at(21))

    assert first
    assert [fact.event_id for fact in first] == [fact.event_id for fact in again]


@pytest.mark.parametrize(
    "log",
    [
        [uploaded()],
        [uploaded(), started()],
        [*PROCESSED, completed()],
        [uploaded(), started(), given_up(final=True)],
        [uploaded(), cancel(), cancelled()],
    ],
    ids=lambda log: fold(log).status,
)
def test_nothing_is_due_where_a_document_moves_by_itself_or_has_ended(log) -> None:
    assert due(log, at(10_000)) == []


def test_a_stage_that_a_person_wants_again_waits_for_every_stage_before_it() -> None:
    some = [*(done(n) for n in (0, 1)), concluded(partial=True, result="ocr-some")]
    log = [uploaded(), started(), planned(), *some, *whole("chunk"), started("extract")]
    log += [given_up("extract", final=True), retry()]

    assert [(f.stage, f.attempt, f.run) for f in due(log)] == [("ocr", 2, 2)]

    log += [requested(run=2), concluded(attempt=2, result="ocr-some")]
    assert [(f.stage, f.attempt, f.run) for f in due(log)] == [("extract", 2, 2)]


def test_a_stage_whose_input_changed_is_requested_when_its_turn_comes() -> None:
    some = [*(done(n) for n in (0, 1)), concluded(partial=True, result="ocr-some")]
    log = [uploaded(), started(), planned(), *some, *whole("chunk"), *whole("extract"), completed(), retry()]
    log += [requested(run=2), done(2), concluded(attempt=2, result="ocr-whole")]

    assert [(f.stage, f.attempt) for f in due(log)] == [("chunk", 2)]


def test_a_retry_of_what_was_stopped_before_it_began_requests_the_first_stage_only() -> None:
    assert [f.stage for f in due([uploaded(), cancel(), cancelled(), retry()])] == ["ocr"]


def test_requests_of_two_runs_have_different_ids() -> None:
    assert requested(run=1).event_id != requested(run=2).event_id
    [said] = due([uploaded(), cancel(), cancelled(), retry()])

    assert said.event_id == requested(run=2).event_id


# --- the schedule -------------------------------------------------------------------------------------------------


def failing(attempts, error=BUSY):
    """A document whose planning failed in each of so many attempts."""
    log = [uploaded()]
    for n in range(1, attempts + 1):
        log += [started(attempt=n), failed(PLAN, attempt=n, plan=None, error=error), given_up(attempt=n, error=error)]
        if n < attempts:
            log += [scheduled(attempt=n + 1), requested(attempt=n + 1)]
    return log


def delay(log):
    state = fold(log)
    return policy.delay(state, state.stages["ocr"])


@pytest.mark.parametrize("attempts", [1, 2, 3, 4, 5])
def test_the_delay_doubles_with_each_attempt_and_up_to_half_of_it_is_jitter(attempts: int) -> None:
    whole_delay = policy.BASE_SECONDS * 2 ** (attempts - 1)

    assert whole_delay / 2 <= delay(failing(attempts)) <= whole_delay


def test_the_delay_is_capped() -> None:
    assert policy.CAP_SECONDS / 2 <= delay(failing(40)) <= policy.CAP_SECONDS


def test_the_jitter_comes_from_the_document_and_the_attempt_so_everybody_computes_the_same() -> None:
    other = [fact.model_copy(update={"document_id": "0b9d2a11-93a5-4f0e-9d55-aaaaaaaaaaaa"}) for fact in failing(1)]

    assert delay(failing(1)) == delay(failing(1))
    assert delay(failing(1)) != delay(other)


def test_who_asks_for_more_time_gets_it() -> None:
    assert delay(failing(1, BUSY.model_copy(update={"retry_after": 77.0}))) == 77.0
    assert delay(failing(1, BUSY.model_copy(update={"retry_after": 0.1}))) >= policy.BASE_SECONDS / 2


def test_after_a_persons_retry_the_delays_begin_anew() -> None:
    log = [*failing(4), cancel(), cancelled(), retry(), requested(attempt=5, run=2), started(attempt=5)]
    log += [failed(PLAN, attempt=5, plan=None), given_up(attempt=5)]

    assert delay(log) <= policy.BASE_SECONDS


def test_what_is_decided_names_the_fact_that_it_follows() -> None:
    assert [fact.cause for fact in due(RETRYING)] == [RETRYING[-1].event_id]
