"""The order in which a tenant's documents get its free places. Pure.

Least remaining work first: a hundred letters that come together are finished one after the other and not all at the
end. What only has to be concluded comes before everything, and what is planned before what is not, so that nothing
waits half done. Remaining work counts in powers of two, and within one of them the document that came first is first.

Age: the document that came first gets a place as soon as others were given four times the cost of its next slice, so
that a book goes on beside any number of letters, at a fifth of the work.

Drift: a slice that was sent and came back without a fact puts its document behind all others, once for each time, so
that a slice that no worker can do delays no other document.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import nsmallest
from math import inf
from types import MappingProxyType
from typing import Final

from shared.events.document import CONCLUDE
from shared.harness.coordinator.assignment import SHORT, Assignment, Send, SetAside, cost

Rank = tuple[int, int, bool, datetime]

NO_TENANTS: Final[Mapping[str, float]] = MappingProxyType({})
NOTHING: Final[frozenset[int]] = frozenset()
AGEING: Final = 4.0  # times the cost of its next slice: what others get before the oldest document has a place
MAX_PUBLISHED: Final = 100  # documents at most whose place in the queue is published
CIRCULATES: Final = 2  # sends without a word before a document counts as one that circulates
_CONCLUDES: Final = -1  # the grade of what has nothing left but its conclusion
_UNPLANNED: Final = 1  # of what may be small: beside a letter that is planned it waits, beside a book it does not


def fill(
    mine: Sequence[Assignment],
    in_flight: Mapping[str, set[int]],
    served: Mapping[str, float],
    slots: int,
    passed: Mapping[str, float],
) -> Iterator[Send | SetAside]:
    """What to send of one tenant's documents, as many slices as there are free places.

    Who is not in `passed` counts as passed over: its age alone speaks, up to a quarter of the places.
    """
    free = slots - sum(len(in_flight.get(assignment.document_id, ())) for assignment in mine)
    if free <= 0:
        return
    ranked: list[tuple[*Rank, int]] = []
    for place, assignment in enumerate(mine):
        try:
            flying = in_flight.get(assignment.document_id, NOTHING)
            ranked.append((*rank(assignment, flying, served), place))
        except Exception as error:  # one document's state never ends what serves all
            yield SetAside(assignment, error)
    places = _Places(mine, in_flight, ranked)
    yield from places.given(free, slots, passed)
    yield from places.set_aside


class _Places:
    """One round of giving places to the documents of a tenant."""

    def __init__(
        self, mine: Sequence[Assignment], in_flight: Mapping[str, set[int]], ranked: Sequence[tuple[*Rank, int]]
    ) -> None:
        self._mine = mine
        self._in_flight = in_flight
        self._ranked = ranked
        self._numbers: dict[int, Iterator[int]] = {}  # what is still to be sent, by place in `mine`
        self.set_aside: list[SetAside] = []

    def given(self, free: int, slots: int, passed: Mapping[str, float]) -> Iterator[Send]:
        """The slices that get the `free` places."""
        oldest = min(((came, place) for drifts, _, _, came, place in self._ranked if not drifts), default=None)
        eldest = oldest[1] if oldest else -1
        waited, room, price = self._of_eldest(eldest, slots, passed)
        flies = sum(1 for assignment in self._mine if self._in_flight.get(assignment.document_id))
        queue = [place for *_, place in nsmallest(free + flies, self._ranked)]  # who flies may have nothing to send
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
            if chosen == eldest:
                waited, room = 0.0, room - 1
            else:
                waited += price_of(self._mine[chosen], number)
            yield Send(self._mine[chosen], number)

    def _of_eldest(self, eldest: int, slots: int, passed: Mapping[str, float]) -> tuple[float, int, float]:
        """How much it was passed over, how many places it may have by its age, what its next slice costs."""
        if eldest < 0:
            return 0.0, 0, 0.0
        assignment = self._mine[eldest]
        holds = len(self._in_flight.get(assignment.document_id, ()))
        return passed.get(assignment.document_id, inf), max(1, slots // 4) - holds, cost(assignment)

    def _next(self, place: int) -> int | None:
        if place not in self._numbers:
            assignment = self._mine[place]
            self._numbers[place] = _sendable(assignment, self._in_flight.get(assignment.document_id, NOTHING))
        try:
            return next(self._numbers[place], None)
        except Exception as error:  # as in `fill`
            self.set_aside.append(SetAside(self._mine[place], error))
            return None


def _sendable(assignment: Assignment, flying: set[int] | frozenset[int]) -> Iterator[int]:
    for number in assignment.outstanding():
        if number == CONCLUDE and flying:
            return  # it is being concluded, or a slice that was sent twice is still at work
        if number not in flying:
            yield number


def rank(assignment: Assignment, flying: set[int] | frozenset[int], served: Mapping[str, float]) -> Rank:
    """What a document is ordered by, the first first: drift, grade of remaining work, not planned yet, age."""
    stage_state = assignment.stage_state
    drifts = drift(assignment, flying, served)
    came = assignment.state.uploaded_at
    if not stage_state.slices:
        return drifts, _UNPLANNED, True, came
    left = stage_state.slices - stage_state.done.bit_count() - sum(1 for number in stage_state.failed if number >= 0)
    if left <= 0:
        return drifts, _CONCLUDES, False, came
    return drifts, int(left * cost(assignment) / (2 * stage_state.guess)).bit_length(), False, came


def drift(assignment: Assignment, flying: set[int] | frozenset[int], served: Mapping[str, float]) -> int:
    """How often something of the document was sent and has neither come back nor is on its way."""
    given = served.get(assignment.document_id)
    return int((given - spent(assignment, flying)) / cost(assignment) + 0.001) if given else 0


def spent(assignment: Assignment, flying: set[int] | frozenset[int]) -> float:
    """The seconds of the document that came to something, or may yet: slices that ended, and those on their way."""
    stage_state = assignment.stage_state
    ended = stage_state.done.bit_count() + sum(1 for number in stage_state.failed if number >= 0)
    return (ended + len(flying)) * cost(assignment) + (SHORT if stage_state.slices else 0.0)


def circulating(
    assignments: Mapping[str, Assignment], in_flight: Mapping[str, set[int]], served: Mapping[str, float]
) -> int:
    """How many documents were sent again and again without a word; in a sound system none."""
    sent = (assignments[i] for i in served if i in assignments)
    return sum(1 for a in sent if drift(a, in_flight.get(a.document_id, NOTHING), served) >= CIRCULATES)


def price_of(assignment: Assignment, number: int) -> float:
    """The expected seconds of slice `number`; planning and concluding count as next to nothing."""
    return cost(assignment) if number >= 0 else SHORT


def queue(
    assignments: Iterable[Assignment], in_flight: Mapping[str, set[int]], served: Mapping[str, float]
) -> Iterator[tuple[Assignment, int]]:
    """The first that wait for a worker, and how many of the same tenant's documents that wait come before, in `order`.

    At most MAX_PUBLISHED documents: those further behind wait for long, and an exact place is of no use to them.
    """
    waiting = [
        a for a in assignments if a.active and a.stage_state.status == "pending" and not in_flight.get(a.document_id)
    ]
    ahead: dict[str, int] = {}
    for assignment in nsmallest(MAX_PUBLISHED, waiting, key=lambda a: rank(a, NOTHING, served)):
        place = ahead.get(assignment.tenant, 0)
        ahead[assignment.tenant] = place + 1
        yield assignment, place
