"""The transition table of the fold: given what the log holds, when one more fact is read, then this follows."""

from typing import Any

import pytest

from shared.document.state import evolve
from shared.events.document import CONCLUDE, PLAN, Failure
from shared.events.pipeline import StageLine
from tests.support.document_facts import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    DELETED,
    FAILED,
    PARTIAL,
    PARTIAL_OCR,
    PROCESSED,
    RETRYING,
    RUNNING,
    UPLOADED,
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
    lost,
    planned,
    requested,
    retry,
    scheduled,
    started,
    uploaded,
    whole,
)

STAGE_FACTS = [
    started(), started("chunk"), planned(plan="another"), planned("chunk"), done(1), failed(1), lost(1),
    lost(PLAN, plan=None), concluded(), given_up(), given_up(final=True), scheduled(),
    requested(), requested(run=2), done(7), done(-1),
    failed(CONCLUDE), failed(PLAN, plan=None),
]  # fmt: skip
OTHERS = [uploaded(), completed(), completed(run=2), cancelled(), cancelled(run=2), cancel("another"), erased()]


def named(fact: Any) -> str:
    return "-".join(str(getattr(fact, name, "")) for name in ("type", "stage", "attempt", "slice", "run"))


@pytest.mark.parametrize("log", [UPLOADED, RUNNING, RETRYING, PROCESSED], ids=lambda log: fold(log).status)
def test_a_document_that_has_not_ended_becomes_cancelling_when_somebody_asks_to_stop(log) -> None:
    assert fold([*log, cancel()]).status == "cancelling"


def test_a_cancelling_document_is_cancelled_when_the_policy_says_that_nobody_works_on_it() -> None:
    state = fold(CANCELLED)

    assert state.status == "cancelled"
    assert state.completed_at == cancelled().at
    assert {job.status for job in state.stages.values()} == {"cancelled"}


def test_a_document_that_nobody_asked_to_stop_is_not_cancelled() -> None:
    assert fold([*RUNNING, cancelled()]) == fold(RUNNING)


def test_the_end_of_an_earlier_cancel_does_not_end_the_one_of_another_run() -> None:
    log = [*CANCELLED, retry(), cancel("again")]

    assert fold([*log, cancelled(run=1)]).status == "cancelling"
    assert fold([*log, cancelled(run=2)]).status == "cancelled"


def test_what_is_done_while_cancelling_is_kept_and_it_is_still_cancelling() -> None:
    state = fold([*CANCELLING, done(1), failed(2)])

    assert state.status == "cancelling"
    assert state.stages["ocr"].done == 0b11
    assert set(state.stages["ocr"].failed) == {2}


@pytest.mark.parametrize("ending", [given_up(final=True), given_up(), concluded()], ids=named)
def test_a_stage_that_ends_while_cancelling_leaves_the_document_cancelling(ending) -> None:
    assert fold([*CANCELLING, done(1), done(2), ending]).status == "cancelling"


def test_a_stage_that_failed_for_good_while_cancelling_stays_failed_in_the_cancelled_document() -> None:
    state = fold([*CANCELLING, given_up(final=True), cancelled()])

    assert state.status == "cancelled"
    assert state.stages["ocr"].status == "failed"
    assert state.failed_stage is None


def test_a_completion_that_was_on_its_way_beats_the_cancel_and_says_so() -> None:
    state = fold([*PROCESSED, cancel(), completed()])

    assert state.status == "completed"
    assert state.cancel_too_late


def test_a_completion_is_not_believed_while_a_stage_is_not_done() -> None:
    assert fold([*RUNNING, completed()]) == fold(RUNNING)
    assert fold([*CANCELLING, completed()]) == fold(CANCELLING)


def test_a_completion_of_an_earlier_run_says_nothing_about_this_one() -> None:
    log = [*PARTIAL, retry(), requested(run=2), started(attempt=2), done(2), concluded(attempt=2)]

    assert fold([*log, completed(run=1)]).status != "completed"


@pytest.mark.parametrize("log", [COMPLETED, FAILED, CANCELLED, PARTIAL], ids=lambda log: fold(log).status)
@pytest.mark.parametrize("fact", [*STAGE_FACTS, *OTHERS], ids=named)
def test_a_document_that_has_ended_ignores_all_but_retry_and_delete(log, fact) -> None:
    before = fold(log)

    assert evolve(before, fact) is before


@pytest.mark.parametrize("log", [FAILED, CANCELLED, PARTIAL], ids=lambda log: fold(log).status)
def test_a_retry_opens_what_failed_was_stopped_or_is_partial(log) -> None:
    state = fold([*log, retry()])

    assert state.status == "processing"
    assert state.run == 2
    assert state.stages["ocr"].wanted
    assert state.stages["ocr"].attempt == 1
    assert (state.completed_at, state.failed_stage, state.stages["ocr"].error) == (None, None, None)


@pytest.mark.parametrize(
    "log", [UPLOADED, RUNNING, RETRYING, CANCELLING, PROCESSED, COMPLETED], ids=lambda log: fold(log).status
)
def test_a_retry_changes_nothing_where_nothing_failed_or_is_missing(log) -> None:
    before = fold(log)

    assert evolve(before, retry()) is before


@pytest.mark.parametrize(
    "log", [UPLOADED, RUNNING, CANCELLING, COMPLETED, FAILED, CANCELLED], ids=lambda log: fold(log).status
)
def test_a_delete_is_obeyed_in_every_state(log) -> None:
    assert fold([*log, deleted()]).status == "deleted"


@pytest.mark.parametrize("fact", [*STAGE_FACTS, *OTHERS[:-1], retry(), deleted("again")], ids=named)
def test_after_a_delete_nothing_changes_any_more(fact) -> None:
    before = fold(DELETED)

    assert evolve(before, fact) is before


def test_a_deleted_document_is_erased_once() -> None:
    state = fold([*DELETED, erased()])

    assert state.erased
    assert evolve(state, erased()) is state


def test_nothing_is_erased_before_somebody_deleted_it() -> None:
    before = fold(RUNNING)

    assert evolve(before, erased()) is before


def test_a_result_beats_a_failure_while_the_stage_is_open() -> None:
    state = fold([*RUNNING, failed(1), done(1)])

    assert state.stages["ocr"].done == 0b10
    assert not state.stages["ocr"].failed


def test_a_failure_does_not_beat_a_result() -> None:
    before = fold([*RUNNING, done(1)])

    assert evolve(before, failed(1)) is before


@pytest.mark.parametrize("log", [[*RUNNING, *(done(n) for n in range(3)), concluded()], FAILED], ids=["done", "failed"])
@pytest.mark.parametrize("fact", [done(2), failed(2), lost(2)], ids=named)
def test_a_slice_fact_about_a_concluded_stage_changes_nothing(log, fact) -> None:
    before = fold(log)

    assert evolve(before, fact) is before


def test_facts_about_an_unknown_document_say_nothing() -> None:
    assert evolve(None, started()) is None


def test_a_stage_that_is_not_in_the_documents_pipeline_is_ignored() -> None:
    before = fold([uploaded(pipeline=[StageLine(stage="ocr", weight=1.0)])])

    assert evolve(before, started("chunk")) is before


def test_the_pipeline_and_its_order_come_from_the_upload() -> None:
    lines = [StageLine(stage="extract", weight=1.0), StageLine(stage="ocr", weight=2.0)]

    assert list(fold([uploaded(pipeline=lines)]).stages) == ["extract", "ocr"]


def test_a_document_is_processing_from_the_first_sign_of_work_until_all_stages_are_done() -> None:
    assert fold(UPLOADED).status == "uploaded"
    assert fold([*UPLOADED, started()]).status == "processing"
    assert fold(PROCESSED).status == "processed"
    assert fold(COMPLETED).status == "completed"


# --- a person's retry ---------------------------------------------------------------------------------------------


def test_a_later_stage_that_worked_on_another_result_is_wanted_again() -> None:
    log = [*PARTIAL, retry(), requested(run=2), started(attempt=2), done(2)]
    state = fold([*log, concluded(attempt=2, result="ocr-whole")])

    assert state.stages["chunk"].wanted
    assert state.stages["extract"].status == "completed"  # its turn comes when chunk has another result
    assert fold([*log, concluded(attempt=2, result="ocr-some")]).status == "processed"


def test_another_input_starts_a_stage_from_zero() -> None:
    log = [*PARTIAL, retry(), requested(run=2), done(2), concluded(attempt=2, result="ocr-whole")]
    job = fold([*log, requested("chunk", run=2)]).stages["chunk"]

    assert (job.plan, job.slices, job.done, job.result, job.partial) == (None, 0, 0, None, False)


def test_a_retry_of_a_document_that_was_stopped_before_it_began_starts_the_first_stage_only() -> None:
    jobs = fold([*UPLOADED, cancel(), cancelled(), retry()]).stages

    assert [job.wanted for job in jobs.values()] == [True, False, False]
    assert {job.status for job in jobs.values()} == {"pending"}


def test_a_stage_that_was_under_way_stays_wanted_when_the_stage_before_fails_in_the_next_run() -> None:
    chunk_failed = [*PARTIAL_OCR, started("chunk"), failed(PLAN, "chunk", plan=None), given_up("chunk", final=True)]
    ocr_failed = [*chunk_failed, retry("1"), requested(run=2), started(attempt=2), given_up(attempt=2, final=True)]

    assert fold([*chunk_failed, retry("1")]).stages["chunk"].wanted
    assert fold([*ocr_failed, retry("2")]).stages["chunk"].wanted


def test_a_retry_of_a_document_that_was_stopped_after_its_last_stage_only_stores_the_results() -> None:
    assert fold([*PROCESSED, cancel(), cancelled(), retry()]).status == "processed"


def test_a_retry_that_is_said_twice_opens_the_document_once() -> None:
    again = [*FAILED, retry(), requested(run=2), started(attempt=2), given_up(attempt=2, final=True)]

    assert fold([*again, retry()]) == fold(again)


def test_a_cancel_that_is_said_again_after_a_retry_does_not_stop_it() -> None:
    assert fold([*CANCELLED, retry(), cancel()]).status == "processing"


# --- what is counted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", [PARTIAL, CANCELLED, FAILED, DELETED, [*RETRYING, scheduled(), requested()]])
def test_the_version_grows_with_each_fact_that_changes_anything_and_with_no_other(log) -> None:
    state = None
    for fact in log:
        after = evolve(state, fact)
        assert evolve(after, fact) is after
        assert after
        assert state is None or after.version == state.version + 1_000_000
        state = after


def test_the_time_of_the_last_change_never_goes_back_though_the_clocks_differ() -> None:
    state = fold([*UPLOADED, started(when=50), planned(when=20)])

    assert state.updated_at == at(50)


def test_a_retry_concludes_a_stage_again_whose_stored_result_was_lost() -> None:
    lost_input = Failure(code="result_missing", facts={"name": "ocr"}, retryable=True)
    log = [uploaded(), *whole("ocr"), started("chunk"), failed(PLAN, stage="chunk", plan=None, error=lost_input)]
    log += [given_up("chunk", final=True, error=lost_input), retry()]
    ocr, chunk = (fold(log).stages[stage] for stage in ("ocr", "chunk"))

    assert (ocr.status, ocr.wanted, ocr.done) == ("pending", True, 1)  # its slices stay done
    assert chunk.wanted


def test_a_retry_concludes_every_stage_again_before_one_that_missed_a_result() -> None:
    """The third stage reads the first one's result too, and its failure does not name the one that is lost."""
    lost_input = Failure(code="result_missing", facts={"name": "extract"}, retryable=True)
    log = [uploaded(), *whole("ocr"), *whole("chunk"), started("extract")]
    log += [failed(PLAN, stage="extract", plan=None, error=lost_input)]
    log += [given_up("extract", final=True, error=lost_input), retry()]
    stages = fold(log).stages

    assert [stage.wanted for stage in stages.values()] == [True, True, True]
