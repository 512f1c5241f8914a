"""The fold of one stage of one document: a case for each fact. A fact of another attempt is late and changes nothing.

An attempt is open until the stage concludes, fails, or is wanted anew; from then on only a request opens another one.
A result of the current plan is kept until the stage has concluded, from any worker and of any attempt.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal, assert_never

from msgspec import Struct
from msgspec.structs import replace

from shared.events.document import (
    CONCLUDE,
    PLAN,
    Failure,
    OfStage,
    RetryScheduled,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StageFailed,
    StagePlanned,
    StageRequested,
    StageStarted,
    WorkerLost,
)

StageStatus = Literal["pending", "running", "retrying", "completed", "failed", "cancelled"]


class FailedSlice(Struct, frozen=True):
    """A slice without a result in this attempt; `pages` first and last where it is about pages."""

    error: Failure
    pages: tuple[int, int] | None = None


class StageState(Struct, frozen=True):
    """One stage of one document. `guess` is the stage's expected cost per page before it has planned, in seconds.

    `run` is the run of the current attempt, `first_attempt` the first attempt of that run.
    `wanted`: a person's retry, or a changed input, asks for another attempt that is not requested yet.
    `planned_from` is the result of the stage before that the plan was made from.
    """

    stage: str
    guess: float
    status: StageStatus = "pending"
    attempt: int = 1
    run: int = 1
    first_attempt: int = 1
    wanted: bool = False
    plan: str | None = None
    planned_from: str | None = None
    slices: int = 0
    weight: float = 0.0
    done: int = 0  # bitmap of slice numbers
    done_weight: float = 0.0
    pages: int | None = None  # of the document, where this stage counted them
    pages_done: int = 0
    failed: Mapping[int, FailedSlice] = MappingProxyType({})  # PLAN and CONCLUDE among them
    claim_counts: Mapping[int, int] = MappingProxyType(
        {}
    )  # slice -> claim count of its last known loss in this attempt
    lost: frozenset[int] = frozenset()  # slices whose worker disappeared, as the last word about them
    result: str | None = None
    partial: bool = False
    error: Failure | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether the current attempt is still going on."""
        return self.status in ("pending", "running") and not self.wanted

    def has(self, number: int) -> bool:
        """Whether slice `number` has a result."""
        return number >= 0 and bool(self.done >> number & 1)

    def expects(self, number: int) -> bool:
        """Whether `number` is a slice of the plan that has no result yet."""
        return 0 <= number < self.slices and not self.has(number)


def evolve(state: StageState, fact: OfStage, *, run: int, input_now: str | None) -> StageState:
    """The state after a fact about the stage; the same object where the fact changes nothing.

    `run` is the document's, `input_now` what the stage before has concluded by now.
    """
    match fact:
        case SliceCompleted():  # first, for most facts are this one
            return _slice_done(state, fact)
        case StageRequested():
            return _requested(state, fact, run, input_now)
        case RetryScheduled():
            follows = state.status == "retrying" and fact.attempt == state.attempt + 1
            return replace(state, due_at=fact.due_at) if follows and state.due_at is None else state
        case _ if fact.attempt != state.attempt or not state.open:
            return state  # another attempt speaks, or this one has ended
        case StageStarted():
            return state if state.status == "running" else replace(state, status="running", started_at=fact.at)
        case StagePlanned():
            return _planned(state, fact, input_now)
        case SliceFailed():
            return _slice_failed(state, fact)
        case WorkerLost():
            return _lost(state, fact)
        case StageCompleted():
            return _concluded(state, fact) if fact.plan == state.plan else state
        case StageFailed():
            status: StageStatus = "failed" if fact.final else "retrying"
            completed_at = fact.at if fact.final else None
            return replace(state, status=status, error=fact.error, completed_at=completed_at, lost=frozenset())
        case unreachable:
            assert_never(unreachable)


def want(state: StageState) -> StageState:
    """The state as another attempt is asked for; its results stay until that attempt begins."""
    return replace(state, status="pending", wanted=True, error=None, due_at=None, completed_at=None, lost=frozenset())


def reopen(state: StageState, *, had_input: bool, lost: bool) -> StageState:
    """The state in a new run: what is whole stays, what was under way is wanted, the rest follows by itself.

    `lost`: the stored result may be gone; to conclude again restores it, and costs little where it is there.
    """
    if state.status == "completed" and not state.partial and not lost:
        return state
    under_way = had_input or state.wanted or state.attempt > 1
    return replace(want(state), wanted=under_way)


def _requested(state: StageState, fact: StageRequested, run: int, input_now: str | None) -> StageState:
    awaited = state.status == "retrying" or state.wanted
    if not awaited or fact.run != run or fact.attempt <= state.attempt:
        return state
    state = replace(
        state, status="pending", attempt=fact.attempt, run=run, wanted=False, failed={}, lost=frozenset(),
        claim_counts={},
        first_attempt=state.first_attempt if state.run == run else fact.attempt,
        error=None, due_at=None, started_at=None, completed_at=None,
    )  # fmt: skip
    if state.planned_from == input_now:
        return state
    return replace(
        state, plan=None, slices=0, weight=0.0, done=0, done_weight=0.0, pages_done=0, result=None, partial=False
    )


def _planned(state: StageState, fact: StagePlanned, input_now: str | None) -> StageState:
    if state.plan is not None:
        return state  # two planners raced: the first in the log counts
    return replace(
        state,
        status="running",
        plan=fact.plan,
        planned_from=input_now,
        slices=fact.slices,
        weight=fact.weight,
        pages=fact.page_count,
        failed=_without(state.failed, PLAN),
        lost=frozenset(),
        started_at=state.started_at or fact.at,
    )


def _slice_done(state: StageState, fact: SliceCompleted) -> StageState:
    concluded = state.status in ("completed", "failed")
    if concluded or fact.plan != state.plan or not state.expects(fact.slice):
        return state
    first, last = fact.pages or (1, 0)
    return replace(
        state,
        done=state.done | 1 << fact.slice,
        done_weight=state.done_weight + fact.weight,
        pages_done=state.pages_done + last - first + 1,
        failed=_without(state.failed, fact.slice),
        lost=frozenset(),
    )


def _slice_failed(state: StageState, fact: SliceFailed) -> StageState:
    if fact.plan != state.plan or fact.slice in state.failed or not _in_question(state, fact.slice):
        return state
    failed = {**state.failed, fact.slice: FailedSlice(fact.error, fact.pages)}
    return replace(state, failed=failed, lost=state.lost - {fact.slice})


def _lost(state: StageState, fact: WorkerLost) -> StageState:
    heard = fact.strike <= state.claim_counts.get(fact.slice, 0) or fact.slice in state.failed
    if heard or fact.plan != state.plan or not _in_question(state, fact.slice):
        return state
    return replace(state, claim_counts={**state.claim_counts, fact.slice: fact.strike}, lost=state.lost | {fact.slice})


def _in_question(state: StageState, number: int) -> bool:
    """Whether `number` names a slice of this plan whose end is open: planning, concluding or a slice."""
    if state.plan is None:
        return number == PLAN
    return number == CONCLUDE or state.expects(number)


def _concluded(state: StageState, fact: StageCompleted) -> StageState:
    failed = {number: slice_ for number, slice_ in state.failed.items() if number >= 0}
    return replace(
        state,
        status="completed",
        result=fact.result,
        partial=fact.partial,
        failed=failed,
        error=next((failed[number].error for number in sorted(failed)), None) if fact.partial else None,
        lost=frozenset(),
        completed_at=fact.at,
    )


def _without(failed: Mapping[int, FailedSlice], number: int) -> Mapping[int, FailedSlice]:
    """The failures but one: a result beats a failure."""
    return failed if number not in failed else {n: slice_ for n, slice_ in failed.items() if n != number}
