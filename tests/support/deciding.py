"""One decision about given documents, as a coordinator that has just learned of them all takes it."""

from collections.abc import Iterable, Mapping

from shared.harness.coordinator.assignment import Assignment, Decision
from shared.harness.coordinator.priority import NOTHING
from shared.harness.coordinator.waiting import Waiting


def waiting(
    assignments: Iterable[Assignment],
    in_flight: Mapping[str, set[int]],
    served: Mapping[str, float],
    max_attempts: int = 3,
) -> Waiting:
    """All that wait; `served` are the seconds that were sent of each document."""
    found = Waiting(max_attempts)
    for assignment in assignments:
        i = assignment.document_id
        found.put(assignment, in_flight.get(i, NOTHING), served.get(i))
    return found


def decide(
    assignments: Iterable[Assignment],
    in_flight: Mapping[str, set[int]],
    served: Mapping[str, float],
    slots: int,
    max_attempts: int = 3,
    passed: Mapping[str, float] | None = None,
) -> list[Decision]:
    """What is sent and which attempts end."""
    return waiting(assignments, in_flight, served, max_attempts).decide(slots, passed or {})
