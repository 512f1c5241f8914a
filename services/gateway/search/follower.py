"""Keeps the search index what the projection is: follows the changes in the order in which they became searchable.

A document that somebody waits for is looked at as soon as it has ended, whatever else is still to be followed.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from services.gateway.search.catalog import Entry, Position
from services.gateway.search.search_index import MAX_CHUNKS, Chunk, SearchIndex
from shared.runtime.batches import in_batches
from shared.storage.mongo import Mongo, Row, float32

_ROWS: Final = 20  # documents that are taken up together
_OVERLAP: Final = timedelta(seconds=2)  # changes may be seen in another order than that of their times
_FIELDS: Final = {"tenant": 1, "batch": 1, "tags": 1, "uploaded_at": 1, "deleted": 1, "loaded.chunk": 1}
_FIRST: Final = datetime(1970, 1, 2, tzinfo=UTC)


class Follower:
    """Follows the live generation of one database."""

    def __init__(self, database: Mongo, index: SearchIndex) -> None:
        self._database = database
        self._index = index
        self._turn = asyncio.Lock()  # what was read of a document is taken up before it is read again
        self.is_complete = False  # whether all that was searchable when this process began is in the index

    async def look(self, ids: Sequence[str]) -> None:
        """Take up what these documents are now."""
        if generation := await self._database.live_generation():
            await self._changed(generation, ids)

    async def follow(self) -> None:
        """Take up everything that has changed since the last time. Raises the driver's errors."""
        generation = await self._database.live_generation()
        if generation is None:
            return
        position = self._index.catalog.position
        at = position.at if position and position.generation == generation else _FIRST
        changed = {"searchable_at": {"$gte": at - _OVERLAP}}
        rows = self._database.projection("documents", generation).find(changed, {"searchable_at": 1})
        async for some in in_batches(rows.sort("searchable_at", 1), _ROWS):
            if not some:
                break
            began = asyncio.get_running_loop().time()
            if await self._changed(generation, [row["_id"] for row in some]):
                await asyncio.sleep(asyncio.get_running_loop().time() - began)  # searches have every other moment
            at = max(at, some[-1]["searchable_at"])
        self._index.catalog.position = Position(generation, at)
        await self._forget_others(generation)
        self.is_complete = True

    async def _changed(self, generation: str, ids: Sequence[str]) -> int:
        async with self._turn:
            rows = self._database.projection("documents", generation).find({"_id": {"$in": list(ids)}}, _FIELDS)
            return await self._take(generation, [row async for row in rows])

    async def _take(self, generation: str, rows: Sequence[Row]) -> int:
        """Bring what the index holds of these documents up to date; how many have changed."""
        there = {row["_id"]: row for row in rows if _result_of(row) and not row.get("deleted")}
        self._index.remove([row["_id"] for row in rows if row["_id"] not in there])
        known = self._index.catalog.known(list(there))
        kinds = await self._kinds(generation, list(there))
        changed = [
            i for i, row in there.items()
            if i not in known or (known[i].result, known[i].kind) != (_result_of(row), kinds.get(i))
        ]  # fmt: skip
        chunks = await self._chunks(generation, changed)
        for i in changed:
            self._index.put(_entry(there[i], kinds.get(i), chunks[i]), chunks[i], generation)
            await asyncio.sleep(0)
        self._index.catalog.see(list(there), generation)
        return len(changed)

    async def _kinds(self, generation: str, ids: Sequence[str]) -> dict[str, str | None]:
        if not ids:
            return {}
        wanted = {"_id": {"$in": list(ids)}}
        rows = self._database.projection("extractions", generation).find(wanted, {"document_type": 1})
        return {row["_id"]: row.get("document_type") async for row in rows}

    async def _chunks(self, generation: str, ids: Sequence[str]) -> dict[str, list[Chunk]]:
        if not ids:
            return {}
        fields = {"document_id": 1, "index": 1, "text": 1, "embedding": 1}
        found: dict[str, list[Chunk]] = {i: [] for i in ids}
        wanted = {"document_id": {"$in": list(ids)}, "index": {"$lt": MAX_CHUNKS}}
        async for row in self._database.projection("chunks", generation).find(wanted, fields):
            vector = float32(row["embedding"]) if row["embedding"] is not None else None
            found[row["document_id"]].append(Chunk(row["index"], row["text"], vector))
        return {i: sorted(chunks) for i, chunks in found.items()}

    async def _forget_others(self, generation: str) -> None:
        """Remove what another generation had and this one does not; not before all of its results are stored."""
        unloaded = await self._database.projection("documents", generation).find_one({"unloaded": True}, {"_id": 1})
        status = await self._database.control["status"].find_one({"_id": "progress"})
        is_whole = status is not None and status.get("caught_up") and status.get("generation") == generation
        while unloaded is None and is_whole and (unseen := self._index.catalog.unseen(generation, _ROWS)):
            self._index.remove(unseen)
            await asyncio.sleep(0)


def _result_of(row: Row) -> str | None:
    """The name of the result that the document's chunks came from; None while they are not stored."""
    name: str | None = row.get("loaded", {}).get("chunk")
    return name


def _entry(row: Row, kind: str | None, chunks: Sequence[Chunk]) -> Entry:
    return Entry(
        document_id=row["_id"],
        tenant=row["tenant"],
        result=_result_of(row) or "",
        chunks=chunks[-1].place + 1 if chunks else 0,
        batch=row.get("batch"),
        tags=tuple(row.get("tags") or ()),
        kind=kind,
        uploaded_at=row["uploaded_at"],
    )
