"""What a coordinator has sent and what has not come back: its memory, corrected by leases and by Kafka. Pure.

A slice is on its way while its record waits in Kafka and while a worker holds its lease. Its fact is in the log before
its lease ends. So what was taken from Kafka, has no lease and brings no fact is adrift: it is sent again, and until
then it rests a little longer each time, so that it neither holds a place nor floods the topic.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

Place = tuple[int, int]  # partition and offset of a record

SETTLE: Final = 3.0  # seconds without a lease before a slice counts as adrift: its fact may not be read yet
PATIENCE: Final = 300.0  # seconds that a record may wait in Kafka before it is sent again: its partition may be cut
BLIND: Final = 30.0  # the same where the consumed offsets are unknown
REST: Final = 60.0  # seconds at most between two sends of what drifts


class Flight(NamedTuple):
    """One slice on its way; `place` is None where it was found by its lease, `free_since` None while it is held."""

    place: Place | None
    sent_at: float
    free_since: float | None = None


class InFlight:
    """The slices on their way, by document. Times are of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.in_flight: dict[str, set[int]] = {}
        self.changed: set[str] = set()  # the documents of which something was sent or came back; to be emptied
        self._flights: dict[tuple[str, int], Flight] = {}
        self._drifted: dict[str, int] = {}  # how often in a row, by document
        self._rests: dict[str, float] = {}  # until when

    def sent(self, document_id: str, number: int, place: Place | None, now: float) -> None:
        """A slice was put on its topic."""
        self._flights[document_id, number] = Flight(place, now)
        self._note(document_id, number)

    def landed(self, document_id: str, number: int) -> None:
        """A word about the slice is in the log."""
        self._drop(document_id, number)
        self._drifted.pop(document_id, None)
        self._rests.pop(document_id, None)

    def forget(self, document_id: str) -> None:
        """Nothing of the document is waited for."""
        for number in self.in_flight.pop(document_id, set()):
            del self._flights[document_id, number]
        self.changed.discard(document_id)
        self._drifted.pop(document_id, None)
        self._rests.pop(document_id, None)

    def resting(self, now: float) -> set[str]:
        """The documents that drifted and are not to be sent yet."""
        self._rests = {i: until for i, until in self._rests.items() if until > now}
        return set(self._rests)

    def look(self, held: Mapping[str, set[int]], taken: Mapping[int, int] | None, now: float) -> list[tuple[str, int]]:
        """Compare with the held leases and with what was taken from Kafka; return what is adrift.

        `held` are slice numbers by document. `taken` is the next offset of each partition, read *before* the leases;
        None where it could not be read.
        """
        for document_id, numbers in held.items():
            for number in numbers:
                known = self._flights.get((document_id, number)) or Flight(None, now)
                self._flights[document_id, number] = known._replace(free_since=None)
                self._note(document_id, number)
        adrift = self._adrift(held, taken, now)
        for document_id in {document_id for document_id, _ in adrift}:
            drifted = self._drifted[document_id] = self._drifted.get(document_id, 0) + 1
            if drifted > 1:
                self._rests[document_id] = now + min(REST, 2.0 ** min(drifted - 1, 10))
        return adrift

    def _adrift(
        self, held: Mapping[str, set[int]], taken: Mapping[int, int] | None, now: float
    ) -> list[tuple[str, int]]:
        """Take out whatever is neither held nor waiting, and was not a while ago either."""
        adrift = []
        for (document_id, number), flight in list(self._flights.items()):
            if number in held.get(document_id, ()) or _waits(flight, taken, now):
                continue
            if flight.free_since is None:
                self._flights[document_id, number] = flight._replace(free_since=now)
            elif now - flight.free_since >= SETTLE:
                self._drop(document_id, number)
                adrift.append((document_id, number))
        return adrift

    def _note(self, document_id: str, number: int) -> None:
        numbers = self.in_flight.setdefault(document_id, set())
        if number not in numbers:
            numbers.add(number)
            self.changed.add(document_id)

    def _drop(self, document_id: str, number: int) -> None:
        if self._flights.pop((document_id, number), None):
            self.changed.add(document_id)
            numbers = self.in_flight[document_id]
            numbers.discard(number)
            if not numbers:
                del self.in_flight[document_id]


def _waits(flight: Flight, taken: Mapping[int, int] | None, now: float) -> bool:
    """Whether the slice's record may still wait in Kafka."""
    if flight.place is None:
        return False
    if taken is None:
        return now - flight.sent_at < BLIND
    partition, offset = flight.place
    return offset >= taken.get(partition, 0) and now - flight.sent_at < PATIENCE
