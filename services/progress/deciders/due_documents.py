"""Which documents are to be looked at, now or at a later time. Pure: the time is given.

A look costs the same however many others wait: later ones lie in a heap by their time.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import islice


class DueDocuments:
    """Document ids, each now or from some time on; times are in seconds of one clock."""

    def __init__(self) -> None:
        self._now: dict[str, None] = {}  # in the order in which they became due
        self._later: list[tuple[float, str]] = []
        self._at: dict[str, float] = {}  # the earliest time of each in the heap; an entry with another time is void

    def __bool__(self) -> bool:
        return bool(self._now)

    def now(self, ids: Iterable[str]) -> None:
        """Look at these as soon as possible."""
        self._now.update(dict.fromkeys(ids))

    def at(self, time: float, document_id: str) -> None:
        """Look at this one from `time` on, unless it is due earlier anyway."""
        if time < self._at.get(document_id, float("inf")):
            self._at[document_id] = time
            heappush(self._later, (time, document_id))

    def take(self, time: float, limit: int) -> list[str]:
        """At most `limit` of those that are due at `time`, the longest due first; they are forgotten here."""
        while self._later and self._later[0][0] <= time:
            at, document_id = heappop(self._later)
            if self._at.get(document_id) == at:
                del self._at[document_id]
                self._now[document_id] = None
        taken = list(islice(self._now, limit))
        for document_id in taken:
            del self._now[document_id]
        return taken
