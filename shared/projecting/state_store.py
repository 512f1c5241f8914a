"""The states of a fold, one for each document, in MongoDB with the recent ones in memory.

There is one writer, so what is in memory is what is stored, or about to be. The guard on `version` refuses a late write
of an earlier owner: a row only ever moves forward.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Container, Mapping
from itertools import islice
from typing import Final, Generic, TypeVar

from shared.storage.mongo import Collection as Rows
from shared.storage.mongo import Row, advance

CAPACITY: Final = 2_000  # some 5 KB each; more than are at work at the same time

S = TypeVar("S")


class StateStore(Generic[S]):
    """States by document id, kept in `rows`, from which `from_row` reads them; about `capacity` of them in memory."""

    def __init__(self, rows: Rows, from_row: Callable[[Row], S], capacity: int = CAPACITY) -> None:
        self._rows = rows
        self._from_row = from_row
        self._capacity = capacity
        self._kept: OrderedDict[str, S | None] = OrderedDict()  # None: looked for, and not there
        self._unwritten: set[str] = set()
        self._pinned: Counter[str] = Counter()  # asked for by a `load` under way, and by how many

    async def load(self, ids: Collection[str]) -> dict[str, S]:
        """The states of `ids`, those that exist.

        `store` may run meanwhile. What is asked for here is not evicted until the answer is complete: only what the
        database was asked for, and did not have, is remembered as absent.
        """
        self._pinned.update(ids)
        try:
            absent = [i for i in ids if i not in self._kept]
            if absent:
                async for row in self._rows.find({"_id": {"$in": absent}}):
                    self._kept.setdefault(row["_id"], self._from_row(row))  # a write may have been faster
                for i in absent:
                    self._kept.setdefault(i, None)
            found = {}
            for i in ids:
                state = self._kept[i]
                self._kept.move_to_end(i)
                if state is not None:
                    found[i] = state
            return found
        finally:
            self._pinned.subtract(ids)
            self._pinned += Counter()  # forgets the zeros
            self._evict()

    async def where(self, query: Row) -> dict[str, S]:
        """The stored states that match `query`."""
        return {row["_id"]: self._from_row(row) async for row in self._rows.find(query)}

    def keep(self, states: Mapping[str, S]) -> None:
        """The states from now on; `store` is to follow, and until then they stay in memory."""
        for i, state in states.items():
            self._kept[i] = state
            self._kept.move_to_end(i)
        self._unwritten.update(states)

    async def store(self, states: Mapping[str, S], rows: Mapping[str, Row], new: Container[str] = frozenset()) -> None:
        """Write `rows`, those of the kept `states`; where an equal or newer `version` is stored, nothing changes.

        `new`: the ids of which no row was stored when their states began.
        """
        await advance(self._rows, list(rows.items()), new)
        self._unwritten -= {i for i, state in states.items() if self._kept.get(i) is state}  # else a newer one waits
        self._evict()

    def _evict(self) -> None:
        """Forget the oldest beyond the capacity, but for what is not written yet and what a `load` is asked for."""
        over = max(0, len(self._kept) - self._capacity)
        evictable = (i for i in self._kept if i not in self._unwritten and i not in self._pinned)
        for i in list(islice(evictable, over)):
            del self._kept[i]
