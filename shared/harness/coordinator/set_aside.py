"""Facts that a coordinator could not fold: kept beside its states until it can, so that the others go on.

Nothing is skipped: while one fact of a document is kept here, those that follow are too, in their order.
"""

from collections.abc import Callable, Set

from shared.events.document import Fact, decode, is_of_job
from shared.projecting.batch import Entry
from shared.storage import mongo
from shared.storage.mongo import Collection, Row


class FactsSetAside:
    """The facts set aside by one coordinator, in memory and in `rows`."""

    def __init__(self, rows: Collection) -> None:
        self._rows = rows
        self._kept: dict[str, dict[int, Fact]] = {}  # by document and offset
        self._unwritten: list[Row] = []
        self._folded: list[str] = []

    async def start(self) -> None:
        """Take up what an earlier life set aside."""
        async for row in self._rows.find({}):
            fact = decode(row["value"])
            if not is_of_job(fact):
                self._kept.setdefault(row["document_id"], {})[row["offset"]] = fact

    def has(self, document_id: str) -> bool:
        """Whether a fact of the document is kept here, so that the next must wait behind it."""
        return document_id in self._kept

    def keep(self, entry: Entry) -> None:
        """Set a fact aside; `store` is to follow before the checkpoint moves past it."""
        i, fact = entry.fact.document_id, entry.fact
        self._kept.setdefault(i, {})[entry.offset] = fact
        self._unwritten.append(
            {"_id": f"{i}/{entry.offset}", "document_id": i, "offset": entry.offset, "value": fact.encode()}
        )

    @property
    def documents(self) -> Set[str]:
        """Whose facts are kept here."""
        return self._kept.keys()

    def again(self, fold: Callable[[Entry], None]) -> None:
        """Fold what is kept, in order; a document's facts that are folded are kept no more. `fold` may raise."""
        for document_id, facts in list(self._kept.items()):
            for offset in sorted(facts):
                try:
                    fold(Entry(offset, facts[offset]))
                except Exception:  # said when it was set aside; it is tried again later
                    break
                del facts[offset]
                self._folded.append(f"{document_id}/{offset}")
            if not facts:
                del self._kept[document_id]

    async def store(self) -> None:
        """Write what was set aside since."""
        unwritten, self._unwritten = self._unwritten, []
        await mongo.add(self._rows, unwritten)

    async def clear(self) -> None:
        """Remove what was folded and is written."""
        folded, self._folded = self._folded, []
        if folded:
            await self._rows.delete_many({"_id": {"$in": folded}})
