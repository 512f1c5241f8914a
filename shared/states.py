"""The states of a fold, one for each document, in MongoDB with the recent ones in memory.

There is one writer, so what is in memory is what is stored, or about to be. The guard on `version` refuses a late write
of an earlier owner: a row only ever moves forward.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Container, Mapping
from itertools import islice
from typing import Generic, TypeVar

from shared.folding import BATCH
from shared.mongo import Collection as Rows
from shared.mongo import Row, advance

S = TypeVar("S")


class States(Generic[S]):
    """States by document id, kept in `rows`, from which `from_row` reads them; `capacity` is at least a batch's."""

    def __init__(self, rows: Rows, from_row: Callable[[Row], S], capacity: int = BATCH) -> None:
        self._rows = rows
        self._from_row = from_row
        self._capacity = capacity
        self._kept: OrderedDict[str, S | None] = OrderedDict()  # None: looked for, and not there

    async def load(self, ids: Collection[str]) -> dict[str, S]:
        """The states of `ids`, those that exist."""
        absent = [i for i in ids if i not in self._kept]
        if absent:
            async for row in self._rows.find({"_id": {"$in": absent}}):
                self._kept.setdefault(row["_id"], self._from_row(row))  # a write may have been faster
        found = {}
        for i in ids:
            state = self._kept.setdefault(i, None)
            self._kept.move_to_end(i)
            if state is not None:
                found[i] = state
        return found

    async def where(self, query: Row) -> dict[str, S]:
        """The stored states that match `query`."""
        return {row["_id"]: self._from_row(row) async for row in self._rows.find(query)}

    def keep(self, states: Mapping[str, S]) -> None:
        """The states from now on; `store` is to follow."""
        for i, state in states.items():
            self._kept[i] = state
            self._kept.move_to_end(i)

    async def store(
        self, rows: Mapping[str, Row], new: Container[str] = frozenset(), unwritten: Container[str] = frozenset()
    ) -> None:
        """Write the rows of states whose `version` has grown; an older or equal version is applied already.

        `new`: the ids of which no row was stored when their states began. `unwritten`: what is to follow besides the
        newest batch, once this is written.
        """
        await advance(self._rows, list(rows.items()), new)
        # Only what is written may be forgotten: the oldest, but for what a patient fold has still in hand.
        over = max(0, len(self._kept) - self._capacity)
        for i in list(islice((i for i in self._kept if i not in unwritten), over)):
            del self._kept[i]
