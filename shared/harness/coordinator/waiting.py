"""The documents that have something to send, each tenant's in the order in which they get its free places. Pure.

What is known of a document is put in when it changes, so that a decision costs what it decides, however many documents
wait. It is level-triggered: asked again in the same state it decides the same. The order is that of `priority`.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import count, islice
from math import inf
from typing import Final, NamedTuple

from shared.events.document import CONCLUDE
from shared.harness.coordinator.assignment import Assignment, Decision, GiveUp, Send, SetAside, cost
from shared.harness.coordinator.priority import Rank, price_of, rank

AGEING: Final = 4.0  # times the cost of its next slice: what others get before the oldest document has a place
MAX_PUBLISHED: Final = 100  # documents at most whose place in the queue is published


class Key(NamedTuple):
    """A place in a line. `number` tells equal ones apart: who was known first."""

    rank: Rank
    number: int


class Waiting:
    """All tenants' documents. An attempt that fails is tried again until it was the `max_attempts`th of its run."""

    def __init__(self, max_attempts: int) -> None:
        self._max_attempts = max_attempts
        self._lines: dict[str, _Line] = {}
        self._endings: dict[str, GiveUp | SetAside] = {}
        self._keys: dict[str, tuple[str, Key]] = {}  # tenant, and place in its line
        self._numbers = count()

    def put(self, assignment: Assignment, flying: Set[int], given: float | None) -> None:
        """Take the document as it is now; one that has nothing to send is left out.

        `flying` are the numbers of its slices on their way, `given` the seconds of it that were sent, if any were.
        """
        document_id = assignment.document_id
        number = self.remove(document_id)
        try:
            tenant = assignment.tenant
            if not assignment.active:
                return
            if ending := _ending(assignment, self._max_attempts):
                self._endings[document_id] = ending
                return
            key = Key(rank(assignment, flying, given), next(self._numbers) if number is None else number)
        except Exception as error:  # one document's state never ends what serves all
            self._endings[document_id] = SetAside(assignment, error)
            return
        self._keys[document_id] = tenant, key
        self._lines.setdefault(tenant, _Line()).put(key, assignment, flying)

    def remove(self, document_id: str) -> int | None:
        """Leave the document out; its number where it had one."""
        self._endings.pop(document_id, None)
        if document_id not in self._keys:
            return None
        tenant, key = self._keys.pop(document_id)
        self._lines[tenant].remove(key)
        if not self._lines[tenant].ranked:
            del self._lines[tenant]
        return key.number

    def decide(self, slots: int, passed: Mapping[str, float]) -> list[Decision]:
        """What to send and which attempts to end. A document that cannot be decided about is set aside.

        A tenant has at most `slots` slices in flight. `passed` are the seconds that others of its tenant were given
        since a document had its last place; who is not in it counts as passed over: its age alone speaks.
        """
        decisions: list[Decision] = [*self._endings.values()]
        for line in self._lines.values():
            decisions.extend(line.given(slots, passed))
        return decisions

    def queue(self) -> Iterator[tuple[Assignment, int]]:
        """The first that wait for a worker, and how many of the same tenant's documents that wait come before.

        At most MAX_PUBLISHED documents: those further behind wait for long, and an exact place is of no use to them.
        """
        ahead: dict[str, int] = {}
        ordered = merge(*(line.waiting() for line in self._lines.values()), key=lambda each: each[0])
        for _, assignment in islice(ordered, MAX_PUBLISHED):
            place = ahead.get(assignment.tenant, 0)
            ahead[assignment.tenant] = place + 1
            yield assignment, place


@dataclass
class _Line:
    """One tenant's documents. The lists are sorted."""

    ranked: list[Key] = field(default_factory=list)
    by_age: list[tuple[datetime, int]] = field(default_factory=list)  # of those that do not drift
    assignments: dict[int, Assignment] = field(default_factory=dict)  # by number
    flying: dict[int, Set[int]] = field(default_factory=dict)  # their slices on the way, where there are any

    def put(self, key: Key, assignment: Assignment, flying: Set[int]) -> None:
        number = key.number
        insort(self.ranked, key)
        if not key.rank.drift:
            insort(self.by_age, (key.rank.came, number))
        self.assignments[number] = assignment
        if flying:
            self.flying[number] = frozenset(flying)

    def remove(self, key: Key) -> None:
        number = key.number
        del self.ranked[bisect_left(self.ranked, key)]
        if not key.rank.drift:
            del self.by_age[bisect_left(self.by_age, (key.rank.came, number))]
        del self.assignments[number]
        self.flying.pop(number, None)

    def waiting(self) -> Iterator[tuple[Key, Assignment]]:
        """The documents of which nothing was begun, in order."""
        for key in self.ranked:
            assignment = self.assignments[key.number]
            if key.number not in self.flying and assignment.stage_state.status == "pending":
                yield key, assignment

    def given(self, slots: int, passed: Mapping[str, float]) -> Iterator[Send | SetAside]:
        """The slices that get the free places."""
        free = slots - sum(map(len, self.flying.values()))
        if free <= 0:
            return
        round_ = _Round(self)
        yield from round_.given(free, slots, passed)
        yield from round_.set_aside


class _Round:
    """One round of giving places to the documents of a tenant."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._numbers: dict[int, Iterator[int]] = {}  # the slices that are still to be sent
        self.set_aside: list[SetAside] = []

    def given(self, free: int, slots: int, passed: Mapping[str, float]) -> Iterator[Send]:
        line = self._line
        eldest = line.by_age[0][1] if line.by_age else -1
        waited, room, price = self._of_eldest(eldest, slots, passed)
        # who flies may have nothing to send
        queue = [key.number for key in line.ranked[: free + len(line.flying)]]
        for _ in range(free):
            chosen, number = eldest, None
            if room > 0 and waited >= AGEING * price:
                number = self._next(eldest)
            while number is None and queue:
                chosen = queue[0]
                number = self._next(chosen)
                if number is None:
                    queue.pop(0)
            if number is None:
                return
            assignment = line.assignments[chosen]
            if chosen == eldest:
                waited, room = 0.0, room - 1
            else:
                waited += price_of(assignment, number)
            yield Send(assignment, number)

    def _of_eldest(self, eldest: int, slots: int, passed: Mapping[str, float]) -> tuple[float, int, float]:
        """How much it was passed over, how many places it may have by its age, what its next slice costs."""
        if eldest < 0:
            return 0.0, 0, 0.0
        assignment, holds = self._line.assignments[eldest], len(self._line.flying.get(eldest, ()))
        return passed.get(assignment.document_id, inf), max(1, slots // 4) - holds, cost(assignment)

    def _next(self, chosen: int) -> int | None:
        if chosen not in self._numbers:
            flying = self._line.flying.get(chosen, frozenset())
            self._numbers[chosen] = _sendable(self._line.assignments[chosen], flying)
        try:
            return next(self._numbers[chosen], None)
        except Exception as error:  # as in `Waiting.put`
            self.set_aside.append(SetAside(self._line.assignments[chosen], error))
            return None


def _sendable(assignment: Assignment, flying: Set[int]) -> Iterator[int]:
    for number in assignment.outstanding():
        if number == CONCLUDE and flying:
            return  # it is being concluded, or a slice that was sent twice is still at work
        if number not in flying:
            yield number


def _ending(assignment: Assignment, max_attempts: int) -> GiveUp | None:
    """How the attempt ends when nothing is outstanding and there is no whole to conclude."""
    stage_state = assignment.stage_state
    if not stage_state.failed or any(number != CONCLUDE for number in assignment.outstanding()):
        return None
    failures = [
        stage_state.failed[number].error for number in sorted(stage_state.failed)
    ]  # planning and concluding first
    retryable = next((failure for failure in failures if failure.retryable), None)
    if retryable and stage_state.attempt - stage_state.first_attempt + 1 < max_attempts:
        return GiveUp(assignment, retryable, final=False)
    nothing_to_conclude = not stage_state.done or CONCLUDE in stage_state.failed
    return GiveUp(assignment, failures[0], final=True) if nothing_to_conclude else None
