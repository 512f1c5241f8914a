"""The coordinator's core: what one stage still has to do for a document, and what to send next. Pure.

`evolve` folds the log into one `Assignment` for each document; `decide` looks at all open ones and says what to send
and which stage attempts have ended. It is level-triggered: called again in the same state it says the same again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heapreplace
from typing import Literal

from shared.events import (
    CONCLUDE,
    PLAN,
    CancelRequested,
    DocumentCancelled,
    DocumentCompleted,
    DocumentDeleted,
    DocumentUploaded,
    Fact,
    Failure,
    RetryRequested,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StageFact,
    StageFailed,
    StagePlanned,
    StageRequested,
    StageStarted,
)

Phase = Literal["waiting", "active", "resting", "ended"]
Halt = Literal["", "cancelling", "cancelled", "deleted"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one stage knows of one document.

    `phase`: waiting for the stage before, active, resting until a retry, ended. `done` is a bitmap of slice numbers,
    `inputs` the results of the earlier stages by name, `planned_inputs` those that the plan was made from.
    """

    document_id: str
    tenant: str
    pipeline: tuple[str, ...]
    phase: Phase = "waiting"
    halt: Halt = ""  # why nothing is sent
    run: int = 1
    attempt: int = 0
    first_attempt: int = 1  # of the current run
    inputs: Mapping[str, str] = field(default_factory=dict)
    planned_inputs: Mapping[str, str] = field(default_factory=dict)
    plan: str | None = None
    slices: int = 0
    weight: float = 0.0
    done: int = 0
    started: bool = False  # some worker has said so for this attempt
    failures: Mapping[int, Failure] = field(default_factory=dict)
    offset: int = -1  # in the document's partition: the last fact that is in here

    @property
    def active(self) -> bool:
        """Whether there may be something to send or to say."""
        return self.phase == "active" and not self.halt

    @property
    def missing(self) -> tuple[int, ...]:
        """The slices without a result."""
        return tuple(n for n in range(self.slices) if not self.done >> n & 1)

    def outstanding(self) -> Iterable[int]:
        """The slice numbers that have neither a result nor a failure in this attempt, in order."""
        if self.plan is None:
            yield from (number for number in (PLAN,) if number not in self.failures)
            return
        failed = sum(1 << number for number in self.failures if number >= 0)
        left = ~(self.done | failed) & ((1 << self.slices) - 1)
        if not left and self.done and CONCLUDE not in self.failures:
            yield CONCLUDE
        while left:
            lowest = left & -left
            yield lowest.bit_length() - 1
            left ^= lowest


@dataclass(frozen=True, slots=True)
class Send:
    """Put this slice of this document on the stage's topic."""

    assignment: Assignment
    slice: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """This attempt of the stage has ended without a result."""

    assignment: Assignment
    error: Failure
    final: bool


def evolve(state: Assignment | None, fact: Fact, stage: str) -> Assignment | None:
    """The assignment after `fact`; None while the document is unknown or does not run through `stage`."""
    if isinstance(fact, DocumentUploaded):
        return state or _uploaded(fact, stage)
    if state is None:
        return None
    match fact:
        case DocumentDeleted():
            return replace(state, halt="deleted")
        case _ if state.halt == "deleted":
            return state
        case CancelRequested():
            return replace(state, halt=state.halt or "cancelling")
        case DocumentCancelled():
            return replace(state, halt="cancelled")
        case DocumentCompleted():
            return replace(state, halt="") if state.halt else state  # the cancel came too late
        case RetryRequested() if state.halt == "cancelled":
            return replace(state, halt="", phase="resting" if state.phase == "active" else state.phase)
        case StageCompleted() if fact.stage != stage:
            return _input_arrived(state, fact, stage)
        case StageRequested() if fact.stage == stage and fact.attempt > state.attempt:
            return _requested(state, fact)
        case StageStarted() if _speaks_of(fact, state, stage):
            return replace(state, started=True)
        case StagePlanned() if _speaks_of(fact, state, stage) and state.plan is None:
            return replace(
                state, plan=fact.plan, slices=fact.slices, weight=fact.weight, done=0, planned_inputs=state.inputs
            )
        case SliceCompleted() if fact.stage == stage and fact.plan == state.plan and state.phase != "ended":
            return _done(state, fact.slice)
        case SliceFailed() if _speaks_of(fact, state, stage) and fact.plan == state.plan:
            return _failed(state, fact)
        case StageCompleted() if _speaks_of(fact, state, stage):
            return replace(state, phase="ended")
        case StageFailed() if _speaks_of(fact, state, stage):
            return replace(state, phase="ended" if fact.final else "resting")
        case _:
            return state  # about another stage, another attempt, or nothing that changes what is to do


def _uploaded(fact: DocumentUploaded, stage: str) -> Assignment | None:
    pipeline = tuple(line.stage for line in fact.pipeline)
    if stage not in pipeline:
        return None
    first = pipeline[0] == stage
    return Assignment(
        fact.document_id, fact.tenant, pipeline, phase="active" if first else "waiting", attempt=1 if first else 0
    )


def _input_arrived(state: Assignment, fact: StageCompleted, stage: str) -> Assignment:
    mine, theirs = state.pipeline.index(stage), state.pipeline.index(fact.stage)
    if theirs > mine:
        return state
    state = replace(state, inputs={**state.inputs, fact.stage: fact.result})
    if theirs == mine - 1 and state.phase == "waiting":
        return replace(state, phase="active", attempt=1)
    return state


def _requested(state: Assignment, fact: StageRequested) -> Assignment:
    new_run = fact.run > state.run
    state = replace(
        state,
        phase="active",
        run=fact.run,
        attempt=fact.attempt,
        started=False,
        first_attempt=fact.attempt if new_run else state.first_attempt,
        failures={},
    )
    if state.planned_inputs != state.inputs:  # another input: the old plan answers another question
        return replace(state, plan=None, slices=0, weight=0.0, done=0)
    return state


def _speaks_of(fact: StageFact, state: Assignment, stage: str) -> bool:
    return fact.stage == stage and fact.attempt == state.attempt and state.phase == "active"


def _done(state: Assignment, number: int) -> Assignment:
    failures = {n: error for n, error in state.failures.items() if n != number}  # a result beats a failure
    return replace(state, done=state.done | 1 << number, failures=failures)


def _failed(state: Assignment, fact: SliceFailed) -> Assignment:
    if fact.slice >= 0 and state.done >> fact.slice & 1:
        return state
    return replace(state, failures={**state.failures, fact.slice: fact.error})


def decide(
    assignments: Iterable[Assignment],
    in_flight: Mapping[str, set[int]],
    served: Mapping[str, float],
    slots: int,
    max_attempts: int,
) -> Sequence[Send | GiveUp]:
    """What to send and which attempts to end.

    `in_flight` holds the slice numbers on their way, by document; `served` the seconds of work each document was given
    so far. A tenant has at most `slots` slices in flight, and each free place goes to its document that was served
    least, the oldest first.
    """
    sends: list[Send | GiveUp] = []
    tenants: dict[str, list[Assignment]] = {}
    for assignment in assignments:
        if not assignment.active:
            continue
        if ending := _ending(assignment, max_attempts):
            sends.append(ending)
        else:
            tenants.setdefault(assignment.tenant, []).append(assignment)
    for mine in tenants.values():
        sends.extend(_fill(mine, in_flight, served, slots))
    return sends


def _fill(
    mine: Sequence[Assignment], in_flight: Mapping[str, set[int]], served: Mapping[str, float], slots: int
) -> Iterable[Send]:
    free = slots - sum(len(in_flight.get(assignment.document_id, ())) for assignment in mine)
    if free <= 0:
        return
    numbers = [_sendable(assignment, in_flight.get(assignment.document_id, set())) for assignment in mine]
    queue = [(served.get(assignment.document_id, 0.0), place) for place, assignment in enumerate(mine)]
    heapify(queue)
    while free and queue:
        share, place = queue[0]
        number = next(numbers[place], None)
        if number is None:
            heappop(queue)
            continue
        heapreplace(queue, (share + cost(mine[place]), place))
        free -= 1
        yield Send(mine[place], number)


def _sendable(assignment: Assignment, flying: set[int]) -> Iterator[int]:
    for number in assignment.outstanding():
        if number == CONCLUDE and flying:
            return  # it is being concluded, or a slice that was sent twice is still at work
        if number not in flying:
            yield number


def cost(assignment: Assignment) -> float:
    """The expected seconds of one slice; planning and concluding count as next to nothing."""
    return assignment.weight / assignment.slices if assignment.slices else 0.01


def _ending(assignment: Assignment, max_attempts: int) -> GiveUp | None:
    """How the attempt ends when nothing is outstanding and there is no whole to conclude."""
    if not assignment.failures or any(number != CONCLUDE for number in assignment.outstanding()):
        return None
    error = next(iter(assignment.failures.values()))
    retryable = next((failure for failure in assignment.failures.values() if failure.retryable), None)
    attempts_left = assignment.attempt - assignment.first_attempt + 1 < max_attempts
    if retryable and attempts_left:
        return GiveUp(assignment, retryable, final=False)
    nothing_to_conclude = not assignment.done or CONCLUDE in assignment.failures
    return GiveUp(assignment, error, final=True) if nothing_to_conclude else None
