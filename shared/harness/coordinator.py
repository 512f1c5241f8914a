"""The coordinator's core: what one stage still has to do for a document, and what to send next. Pure.

The log is folded by the same `shared.document` as the projection, so the two never disagree about what counts; an
`Assignment` is that state as one stage looks at it. `decide` looks at all open ones and says what to send and which
attempts have ended. It is level-triggered: called again in the same state it says the same again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from shared import document
from shared.document import MOVING, DocumentState
from shared.events import CONCLUDE, PLAN, Fact, Failure
from shared.jobs import Job


class Assignment(Struct, frozen=True):
    """One document as one stage sees it; `offset` is the last fact in the document's partition that is in here."""

    state: DocumentState
    stage: str
    offset: int = -1

    @property
    def document_id(self) -> str:
        """The document."""
        return self.state.document_id

    @property
    def tenant(self) -> str:
        """Whose document it is."""
        return self.state.tenant

    @property
    def job(self) -> Job:
        """Where this stage stands."""
        return self.state.jobs[self.stage]

    @property
    def inputs(self) -> Mapping[str, str]:
        """The results of the earlier stages, by stage."""
        return self.state.inputs(self.stage)

    @property
    def active(self) -> bool:
        """Whether there may be something to send or to say."""
        return self.state.status in MOVING and self.job.open and self.state.is_turn_of(self.stage)

    @property
    def missing(self) -> tuple[int, ...]:
        """The slices without a result."""
        return tuple(n for n in range(self.job.slices) if not self.job.has(n))

    def outstanding(self) -> Iterable[int]:
        """The slice numbers that have neither a result nor a failure in this attempt, in order."""
        job = self.job
        if job.plan is None:
            yield from (number for number in (PLAN,) if number not in job.failed)
            return
        failed = sum(1 << number for number in job.failed if number >= 0)
        left = ~(job.done | failed) & ((1 << job.slices) - 1)
        if not left and job.done and CONCLUDE not in job.failed:
            yield CONCLUDE
        while left:
            lowest = left & -left
            yield lowest.bit_length() - 1
            left ^= lowest


class Send(NamedTuple):
    """Put this slice of this document on the stage's topic."""

    assignment: Assignment
    slice: int


class GiveUp(NamedTuple):
    """This attempt of the stage has ended without a result."""

    assignment: Assignment
    error: Failure
    final: bool


def evolve(before: Assignment | None, fact: Fact, stage: str) -> Assignment | None:
    """The assignment after `fact`; None while the document is unknown or does not run through `stage`."""
    state = document.evolve(before.state if before else None, fact)
    if state is None or stage not in state.jobs:
        return None
    if before is None:
        return Assignment(state, stage)
    return before if state is before.state else replace(before, state=state)


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


def queue(
    assignments: Iterable[Assignment], in_flight: Mapping[str, set[int]], served: Mapping[str, float]
) -> Iterator[tuple[Assignment, int]]:
    """Who waits for a first free worker, and how many of the same tenant's documents come before, in their order."""
    ahead: dict[str, int] = {}
    waiting = [a for a in assignments if a.active and a.job.status == "pending" and not in_flight.get(a.document_id)]
    for assignment in sorted(waiting, key=lambda a: served.get(a.document_id, 0.0)):
        place = ahead.get(assignment.tenant, 0)
        ahead[assignment.tenant] = place + 1
        yield assignment, place


def cost(assignment: Assignment) -> float:
    """The expected seconds of one slice; planning and concluding count as next to nothing."""
    return assignment.job.weight / assignment.job.slices if assignment.job.slices else 0.01


def _ending(assignment: Assignment, max_attempts: int) -> GiveUp | None:
    """How the attempt ends when nothing is outstanding and there is no whole to conclude."""
    job = assignment.job
    if not job.failed or any(number != CONCLUDE for number in assignment.outstanding()):
        return None
    failures = [job.failed[number].error for number in sorted(job.failed)]  # planning and concluding first
    retryable = next((failure for failure in failures if failure.retryable), None)
    if retryable and job.attempt - job.first_attempt + 1 < max_attempts:
        return GiveUp(assignment, retryable, final=False)
    nothing_to_conclude = not job.done or CONCLUDE in job.failed
    return GiveUp(assignment, failures[0], final=True) if nothing_to_conclude else None
