"""The order in which a tenant's documents get its free places. Pure.

Least remaining work first: a hundred letters that come together are finished one after the other and not all at the
end. What only has to be concluded comes before everything, and what is planned before what is not, so that nothing
waits half done. Remaining work counts in powers of two, and within one of them the document that came first is first.

Age: the document that came first gets a place as soon as others were given four times the cost of its next slice, so
that a book goes on beside any number of letters, at a fifth of the work.

Drift: a slice that was sent and came back without a fact puts its document behind all others, once for each time, so
that a slice that no worker can do delays no other document.
"""

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Final, NamedTuple

from shared.harness.coordinator.assignment import SHORT, Assignment, cost

NOTHING: Final[frozenset[int]] = frozenset()
CIRCULATES: Final = 2  # sends without a word before a document counts as one that circulates
_CONCLUDES: Final = -1  # the grade of what has nothing left but its conclusion
_UNPLANNED: Final = 1  # of what may be small: beside a letter that is planned it waits, beside a book it does not


class Rank(NamedTuple):
    """What a document is ordered by, the first first: drift, grade of remaining work, not planned yet, age."""

    drift: int
    grade: int
    unplanned: bool
    came: datetime


def rank(assignment: Assignment, flying: Set[int], given: float | None) -> Rank:
    """The document's rank; `flying` and `given` are as in `drift`."""
    stage_state = assignment.stage_state
    drifts = drift(assignment, flying, given)
    came = assignment.state.uploaded_at
    if not stage_state.slices:
        return Rank(drifts, _UNPLANNED, True, came)
    left = stage_state.slices - stage_state.done.bit_count() - sum(1 for number in stage_state.failed if number >= 0)
    if left <= 0:
        return Rank(drifts, _CONCLUDES, False, came)
    return Rank(drifts, int(left * cost(assignment) / (2 * stage_state.guess)).bit_length(), False, came)


def drift(assignment: Assignment, flying: Set[int], given: float | None) -> int:
    """How often something of the document was sent and has neither come back nor is on its way.

    `flying` are the numbers of its slices on their way, `given` the seconds of it that were sent, if any were.
    """
    return int((given - spent(assignment, flying)) / cost(assignment) + 0.001) if given else 0


def spent(assignment: Assignment, flying: Set[int]) -> float:
    """The seconds of the document that came to something, or may yet: slices that ended, and those on their way."""
    stage_state = assignment.stage_state
    ended = stage_state.done.bit_count() + sum(1 for number in stage_state.failed if number >= 0)
    return (ended + len(flying)) * cost(assignment) + (SHORT if stage_state.slices else 0.0)


def circulating(
    assignments: Mapping[str, Assignment], in_flight: Mapping[str, set[int]], served: Mapping[str, float]
) -> int:
    """How many documents were sent again and again without a word; in a sound system none."""
    sent = ((assignments[i], given) for i, given in served.items() if i in assignments)
    return sum(1 for a, given in sent if drift(a, in_flight.get(a.document_id, NOTHING), given) >= CIRCULATES)


def price_of(assignment: Assignment, number: int) -> float:
    """The expected seconds of slice `number`; planning and concluding count as next to nothing."""
    return cost(assignment) if number >= 0 else SHORT
