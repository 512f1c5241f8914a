"""The sweeper: given a lease that expired without an end, what follows."""

from datetime import timedelta

import pytest

from services.progress.deciders.sweeper import OVER, judge
from shared.events.document import CONCLUDE, PLAN, SliceFailed, WorkerLost
from tests.support.document_facts import (
    DOCUMENT,
    NOON,
    TENANT,
    cancel,
    cancelled,
    concluded,
    deleted,
    done,
    failed,
    fold,
    given_up,
    planned,
    requested,
    retry,
    started,
    uploaded,
)

PLANNING = [uploaded(), started()]
RUNNING = [*PLANNING, planned()]


def lease(number=1, *, attempt=1, plan="ocr-plan", strikes=1, stage="ocr", **more):
    about = {"document_id": DOCUMENT, "tenant": TENANT, "stage": stage, "attempt": attempt, "plan": plan}
    return {**about, "slice": number, "strikes": strikes, **more}


def verdict(row, log, seen=timedelta()):
    return judge(row, fold(log), NOON, seen)


@pytest.mark.parametrize("strikes", [1, 2])
def test_the_first_losses_of_a_slice_are_said(strikes: int) -> None:
    fact = verdict(lease(strikes=strikes), RUNNING)

    assert isinstance(fact, WorkerLost)
    assert (fact.stage, fact.attempt, fact.plan, fact.slice, fact.strike) == ("ocr", 1, "ocr-plan", 1, strikes)
    assert fold([*RUNNING, fact]).stages["ocr"].lost == {1}


def test_the_third_loss_of_a_slice_is_its_failure() -> None:
    fact = verdict(lease(strikes=3), RUNNING)

    assert isinstance(fact, SliceFailed)
    assert (fact.error.code, fact.error.facts) == ("worker_lost", {"strikes": 3})
    assert set(fold([*RUNNING, fact]).stages["ocr"].failed) == {1}


def test_work_that_was_given_back_in_order_is_no_loss() -> None:
    assert isinstance(verdict(lease(strikes=4, releases=2), RUNNING), WorkerLost)
    assert isinstance(verdict(lease(strikes=5, releases=2), RUNNING), SliceFailed)


def test_a_loss_is_said_once_for_each_strike_and_said_again_it_is_the_same_fact() -> None:
    assert verdict(lease(strikes=1, reported=1), RUNNING) is None
    assert isinstance(verdict(lease(strikes=2, reported=1), RUNNING), WorkerLost)
    assert verdict(lease(strikes=2), RUNNING).event_id == verdict(lease(strikes=2), RUNNING).event_id
    assert verdict(lease(strikes=1), RUNNING).event_id != verdict(lease(strikes=2), RUNNING).event_id


def test_planning_and_concluding_can_be_lost_too() -> None:
    assert isinstance(verdict(lease(PLAN, plan=None), PLANNING), WorkerLost)
    assert isinstance(verdict(lease(CONCLUDE), [*RUNNING, *(done(n) for n in range(3))]), WorkerLost)


@pytest.mark.parametrize(
    ("row", "log"),
    [
        (lease(PLAN, plan=None), RUNNING),
        (lease(1), [*RUNNING, done(1)]),
        (lease(1), [*RUNNING, failed(1)]),
        (lease(1, plan="another"), RUNNING),
        (lease(1), [*RUNNING, *(done(n) for n in range(3)), concluded()]),
        (lease(1), [*RUNNING, failed(1), given_up()]),
        (lease(1), [*RUNNING, failed(1), given_up(), requested()]),
        (lease(1), [*RUNNING, given_up(final=True)]),
        (lease(1), [*RUNNING, cancel()]),
        (lease(1), [*RUNNING, cancel(), cancelled()]),
        (lease(1), [*RUNNING, cancel(), cancelled(), retry()]),
        (lease(1), [*RUNNING, deleted()]),
        (lease(1, stage="translate"), RUNNING),
    ],
    ids=[
        "planned", "done", "failed", "another plan", "concluded", "attempt ended", "next attempt", "gave up",
        "cancelling", "cancelled", "wanted again", "deleted", "no such stage",
    ],
)  # fmt: skip
def test_a_lease_that_nobody_waits_for_is_ended(row, log) -> None:
    assert verdict(row, log) == OVER


@pytest.mark.parametrize(
    ("row", "log"),
    [
        (lease(1), PLANNING),
        (lease(1, attempt=2), RUNNING),
        (lease(PLAN, attempt=2, plan=None), [*RUNNING, cancel(), cancelled()]),
        (lease(PLAN, attempt=2, plan=None), [*PLANNING, given_up(final=True)]),
    ],
    ids=["a plan", "an attempt", "a retry after a cancel", "a retry after a failure"],
)
def test_a_lease_of_what_this_projection_has_not_read_yet_is_left_alone(row, log) -> None:
    assert verdict(row, log) is None


def test_a_lease_of_a_document_that_is_not_known_yet_is_left_alone() -> None:
    assert judge(lease(), None, NOON, timedelta()) is None


def test_work_that_was_given_back_is_lost_only_if_nobody_takes_it_up() -> None:
    given_back = lease(released=1)
    taken_up_again = lease(released=1, strikes=2)

    assert verdict(given_back, RUNNING, seen=timedelta(seconds=5)) is None
    assert isinstance(verdict(given_back, RUNNING, seen=timedelta(seconds=90)), WorkerLost)
    assert isinstance(verdict(taken_up_again, RUNNING, seen=timedelta(seconds=5)), WorkerLost)


@pytest.mark.parametrize("skew", [-3600, -60, 60])
def test_what_was_given_back_is_judged_by_one_clock(skew: int) -> None:
    """The database's clock, which set the expiry, is another than ours."""
    expires_at = NOON + timedelta(seconds=skew)
    assert verdict(lease(released=1, expires_at=expires_at), RUNNING, seen=timedelta(seconds=5)) is None
