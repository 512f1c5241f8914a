"""The coordinator's core: given what the log says, what is sent and which attempts end."""

from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from pydantic import ValidationError

from shared.events.document import CONCLUDE, PLAN
from shared.harness.coordinator.assignment import GiveUp, Send, evolve, work_item
from shared.harness.coordinator.fold import from_row, to_row
from shared.harness.work_item import WorkItem
from tests.support.deciding import decide
from tests.support.document_facts import (
    BAD_PAGE,
    BUSY,
    DOCUMENT,
    cancel,
    cancelled,
    completed,
    concluded,
    deleted,
    done,
    failed,
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

RUNNING = [uploaded(), started(), planned(slices=4)]


def assigned(log, stage="ocr"):
    assignment = None
    for fact in log:
        assignment = evolve(assignment, fact, stage)
    return assignment


def decided(log, stage="ocr", *, flying=(), slots=10, max_attempts=3):
    """The slice numbers that are sent, or how the attempt ends."""
    flights = {DOCUMENT: set(flying)}
    found = [*decide([assigned(log, stage)], flights, {}, slots, max_attempts)]
    return [decision.slice if isinstance(decision, Send) else (decision.error, decision.final) for decision in found]


# --- what is sent -------------------------------------------------------------------------------------------------


def test_the_first_stage_plans_as_soon_as_the_document_is_there() -> None:
    assert decided([uploaded()]) == [PLAN]


def test_a_later_stage_waits_for_all_stages_before_it() -> None:
    assert decided([uploaded()], "chunk") == []
    assert decided([uploaded(), *whole("ocr")], "chunk") == [PLAN]
    assert decided([uploaded(), *whole("ocr")], "extract") == []
    assert decided([uploaded(), *whole("ocr"), *whole("chunk")], "extract") == [PLAN]


def test_a_stage_that_is_not_in_the_documents_pipeline_has_nothing_to_do() -> None:
    assert assigned([uploaded(), started()], "translate") is None


def test_after_the_plan_its_slices_are_sent_in_order_and_none_twice() -> None:
    assert decided(RUNNING) == [0, 1, 2, 3]
    assert decided([*RUNNING, done(0), failed(2)], flying={1}) == [3]


def test_of_two_plans_the_first_in_the_log_is_worked_on() -> None:
    raced = assigned([*RUNNING, planned(slices=99, plan="another")])

    assert work_item(raced, 0).plan == "ocr-plan"
    assert decided([*RUNNING, planned(slices=99, plan="another")]) == [0, 1, 2, 3]


def test_when_all_slices_have_ended_the_whole_is_concluded_once() -> None:
    ended = [*RUNNING, *(done(n) for n in range(4))]

    assert decided(ended) == [CONCLUDE]
    assert decided(ended, flying={CONCLUDE}) == []
    assert decided([*ended, concluded()]) == []


def test_concluding_waits_for_a_slice_that_was_sent_twice() -> None:
    assert decided([*RUNNING, *(done(n) for n in range(4))], flying={2}) == []


def test_a_slice_whose_worker_was_lost_is_still_outstanding() -> None:
    assert decided([*RUNNING, lost(1)], flying={0, 2, 3}) == [1]


@pytest.mark.parametrize(
    "log",
    [
        [*RUNNING, cancel()],
        [*RUNNING, cancel(), cancelled()],
        [*RUNNING, cancel(), cancelled(), retry()],
        [*RUNNING, deleted()],
        [*RUNNING, failed(0), given_up()],
        [*RUNNING, failed(0), given_up(), scheduled()],
        [*RUNNING, failed(0, error=BAD_PAGE), given_up(final=True, error=BAD_PAGE)],
    ],
    ids=["cancelling", "cancelled", "wanted", "deleted", "resting", "scheduled", "failed"],
)
def test_nothing_is_sent_and_nothing_ends_while_nothing_may_be_done(log) -> None:
    assert not assigned(log).active
    assert decided(log) == []


def test_a_cancel_that_came_too_late_leaves_nothing_to_do() -> None:
    log = [uploaded(), *whole("ocr"), *whole("chunk"), *whole("extract"), cancel(), completed()]

    assert decided(log, "extract") == []


# --- trying again -------------------------------------------------------------------------------------------------


def test_a_retry_sends_only_what_is_missing() -> None:
    log = [*RUNNING, done(0), done(3), failed(1), failed(2, error=BAD_PAGE), given_up(), scheduled(), requested()]

    assert decided(log) == [1, 2]


def test_a_result_that_came_late_from_the_attempt_before_is_not_sent_again() -> None:
    log = [*RUNNING, done(0), failed(1), given_up(), done(1), requested()]

    assert decided(log) == [2, 3]


def test_a_changed_input_is_planned_anew() -> None:
    some = [uploaded(), started(), planned(), done(0), failed(1), failed(2), concluded(partial=True, result="some")]
    log = [*some, *whole("chunk"), *whole("extract"), completed(), retry(), requested(run=2)]
    log += [done(1), done(2), concluded(attempt=2, result="whole")]

    assert decided(log, "chunk") == []
    assert decided([*log, requested("chunk", run=2)], "chunk") == [PLAN]


def test_an_earlier_stage_that_concludes_again_does_not_disturb_the_plan_made_from_its_first_word() -> None:
    log = [uploaded(), *whole("ocr"), started("chunk"), planned("chunk", 2), done(0, "chunk"), failed(1, "chunk")]
    log += [concluded(result="another"), given_up("chunk"), scheduled("chunk"), requested("chunk")]

    assert decided(log, "chunk") == [1]
    assert work_item(assigned(log, "chunk"), 1).inputs == {"ocr": "ocr-result"}


def test_what_a_zombie_concludes_after_the_cancel_starts_nothing() -> None:
    log = [uploaded(), started(), planned(), cancel(), cancelled(), concluded(), retry()]

    assert decided(log, "chunk") == []
    assert decided([*log, requested(run=2)]) == [0, 1, 2]


def test_the_end_of_an_earlier_cancel_said_twice_does_not_stop_a_retry() -> None:
    log = [*RUNNING, cancel(), cancelled(), retry(), requested(run=2), cancelled()]

    assert decided(log) == [0, 1, 2, 3]


# --- how an attempt ends ------------------------------------------------------------------------------------------


def test_an_attempt_does_not_end_while_anything_is_outstanding() -> None:
    assert decided([*RUNNING, failed(0), failed(1), failed(2)]) == [3]


def test_a_retryable_failure_ends_the_attempt_while_there_are_attempts_left() -> None:
    ended = [*RUNNING, done(0), done(1), failed(2, error=BAD_PAGE), failed(3)]

    assert decided(ended, max_attempts=2) == [(BUSY, False)]


def test_without_attempts_left_the_whole_is_concluded_without_what_failed() -> None:
    ended = [*RUNNING, done(0), done(1), failed(2), failed(3)]

    assert decided(ended, max_attempts=1) == [CONCLUDE]
    item = work_item(assigned(ended), CONCLUDE)
    assert item.missing == (2, 3)


def test_what_cannot_be_retried_is_left_out_at_once() -> None:
    assert decided([*RUNNING, done(0), done(1), done(2), failed(3, error=BAD_PAGE)]) == [CONCLUDE]


def test_where_nothing_is_done_at_all_the_stage_fails_for_good() -> None:
    assert decided([*RUNNING, *(failed(n, error=BAD_PAGE) for n in range(4))]) == [(BAD_PAGE, True)]
    assert decided([*RUNNING, *(failed(n) for n in range(4))], max_attempts=1) == [(BUSY, True)]


def test_of_several_failures_the_first_slices_is_named_whichever_was_said_first() -> None:
    other = BAD_PAGE.model_copy(update={"page": 2})
    ended = [*RUNNING, *(failed(n, error=BAD_PAGE) for n in (3, 2, 0)), failed(1, error=other)]
    first = [*RUNNING, *(failed(n, error=BAD_PAGE) for n in (3, 2, 1)), failed(0, error=other)]

    assert decided(ended) == [(BAD_PAGE, True)]
    assert decided(first) == [(other, True)]


def test_a_plan_that_is_refused_fails_the_stage() -> None:
    assert decided([uploaded(), started(), failed(PLAN, plan=None, error=BAD_PAGE)]) == [(BAD_PAGE, True)]
    assert decided([uploaded(), started(), failed(PLAN, plan=None)]) == [(BUSY, False)]


def test_a_conclusion_that_fails_is_retried_and_then_fails_the_stage() -> None:
    ended = [*RUNNING, *(done(n) for n in range(4)), failed(CONCLUDE)]

    assert decided(ended) == [(BUSY, False)]
    assert decided(ended, max_attempts=1) == [(BUSY, True)]
    assert decided([*ended, given_up(), scheduled(), requested()]) == [CONCLUDE]


def test_a_failure_to_plan_that_a_second_planner_made_good_does_not_end_the_attempt() -> None:
    log = [uploaded(), started(), failed(PLAN, plan=None), planned(slices=2), done(0), done(1)]

    assert decided(log) == [CONCLUDE]


def test_attempts_are_counted_anew_in_the_run_that_a_person_asked_for() -> None:
    log = [*RUNNING, failed(0), given_up(final=True), retry(), requested(run=2), started(attempt=2)]
    log += [failed(n, attempt=2) for n in range(4)]

    assert decided(log, max_attempts=2) == [(BUSY, False)]


# --- level-triggered, stored, loaded ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "log",
    [[uploaded()], RUNNING, [*RUNNING, *(done(n) for n in range(4))], [*RUNNING, *(failed(n) for n in range(4))]],
)
def test_asked_again_in_the_same_state_it_says_the_same(log) -> None:
    assert decided(log) == decided(log) != []


@pytest.mark.parametrize(
    "log",
    [
        [uploaded()],
        [*RUNNING, done(0), done(3), lost(1), failed(2, error=BAD_PAGE, pages=(3, 4))],
        [*RUNNING, failed(CONCLUDE), given_up(), scheduled(), requested()],
        [*RUNNING, cancel(), cancelled(), retry()],
    ],
)
def test_a_coordinator_that_starts_again_knows_what_it_knew(log) -> None:
    before = assigned(log)
    row: dict[str, Any] = bson.decode(bson.encode(to_row(before)), CodecOptions(tz_aware=True))

    assert row["active"] == before.active
    assert from_row(row) == before


def test_the_work_item_says_everything_a_worker_must_know() -> None:
    log = [uploaded(), *whole("ocr"), started("chunk"), planned("chunk", 2)]
    item = work_item(assigned(log, "chunk"), 1)

    assert item.model_dump() == {
        "document_id": DOCUMENT, "tenant": "acme", "stage": "chunk", "attempt": 1, "plan": "chunk-plan", "slice": 1,
        "cause": log[-1].event_id, "opens": False, "inputs": {"ocr": "ocr-result"}, "seconds": 1.0,
        "missing": (), "run": 1, "repeats": 0,
    }  # fmt: skip
    assert item.work_id == f"{DOCUMENT}/chunk/1/chunk-plan/1"
    assert WorkItem.model_validate_json(item.model_dump_json()) == item


def test_the_first_item_of_each_attempt_opens_it() -> None:
    opening = [uploaded()]
    again = [*RUNNING, failed(0), given_up(), requested()]

    assert work_item(assigned(opening), PLAN).opens
    assert work_item(assigned(again), 0).opens
    assert not work_item(assigned([*again, started(attempt=2)]), 0).opens


def test_an_ending_names_its_assignment() -> None:
    log = [uploaded(), started(), failed(PLAN, plan=None, error=BAD_PAGE)]
    [ending] = decide([assigned(log)], {}, {}, 1, 3)

    assert isinstance(ending, GiveUp)
    assert ending.assignment.document_id == DOCUMENT


@pytest.mark.parametrize(
    ("shown", "stopped"),
    [
        (None, False),
        (("processing", 2), False),
        (("cancelled", 1), False),
        (("cancelling", 1), False),
        (("cancelled", 2), True),
        (("cancelling", 3), True),
        (("deleted", 1), True),
    ],
)
def test_a_status_stops_what_its_run_speaks_of_and_no_later_run(shown, stopped: bool) -> None:
    again = [*RUNNING, cancel(), cancelled(), retry(), requested(run=2)]

    assert work_item(assigned(again), 0).is_stopped(shown) == stopped


def test_an_item_of_before_which_names_no_run_is_stopped_by_any() -> None:
    item = WorkItem.model_validate_json(work_item(assigned(RUNNING), 0).model_dump_json(exclude={"run"}))

    assert item.is_stopped(("cancelled", 1))


@pytest.mark.parametrize(
    "odd", [{"slice": 2**63}, {"slice": -3}, {"attempt": 0}, {"attempt": 2**40}, {"plan": "x" * 300}]
)
def test_an_item_that_no_coordinator_can_have_sent_is_none(odd) -> None:
    raw = work_item(assigned(RUNNING), 0).model_dump() | odd

    with pytest.raises(ValidationError):
        WorkItem.model_validate(raw)
