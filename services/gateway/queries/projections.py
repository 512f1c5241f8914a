"""The gateway's queries on the projections. It reads the live generation and never writes."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from services.gateway.problems import Problem
from services.gateway.queries.cursors import After
from services.gateway.targets import DocumentKey, Standing
from shared.document.totals import Totals
from shared.events.standalone_job import is_job_id
from shared.storage.mongo import TOTALS, Collection, Mongo, Row, under

_STEP: Final = 1_000  # rows that come at once where there may be many: others get a turn in between


class ListFilter(NamedTuple):
    """Which documents or jobs of a tenant a list is to hold."""

    tenant: str
    status: str | None = None
    batch: str | None = None
    tags: tuple[str, ...] = ()  # all of them

    def query(self) -> Row:
        """The filter."""
        wanted: Row = {"tenant": self.tenant}
        if self.status:
            wanted["view.status"] = self.status
        if self.batch:
            wanted["batch"] = self.batch
        if self.tags:
            wanted["tags"] = {"$all": list(self.tags)}
        return wanted


class Found(NamedTuple):
    """A row and the generation it was read from."""

    generation: str
    row: Row


class Listed(NamedTuple):
    """A collection that can be listed, and what orders it."""

    name: str
    at: str
    only: Mapping[str, Any] = MappingProxyType({})  # what all that is listed has in common


DOCUMENTS: Final = Listed("documents", "uploaded_at", MappingProxyType({"deleted": False}))
JOBS: Final = Listed("jobs", "started_at")


class Projections:
    """What the fold wrote, in the generation that is live."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self.generation: str | None = None  # None while there is no projection

    async def refresh(self) -> bool:
        """Read the pointer; whether another generation is live than before."""
        before, self.generation = self.generation, await self._mongo.live_generation()
        return before != self.generation

    async def documents(self, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, Found]:
        """The rows of `keys`, all from one generation that was live throughout."""
        while True:
            if self.generation is None and not await self.refresh():
                return {}
            generation = self.generation
            found = await self._documents(generation or "", keys)
            if generation == self.generation and (len(found) == len(keys) or not await self.refresh()):
                return found

    async def _documents(self, generation: str, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, Found]:
        found: dict[DocumentKey, Found] = {}
        for name, ids in _by_collection(keys).items():
            rows = self._mongo.projection(name, generation).find({"_id": {"$in": ids}})
            found |= {DocumentKey(row["tenant"], row["_id"]): Found(generation, row) async for row in rows}
        return {key: found[key] for key in keys if key in found}

    async def newest(
        self, wish: ListFilter, *, limit: int, after: After | None = None, of: Listed = DOCUMENTS
    ) -> tuple[str, list[Row]]:
        """The generation, and at most `limit` rows after `after`, newest first. Raises Problem."""
        wanted = {**wish.query(), **of.only}
        if after:
            older = {of.at: {"$lt": after.at}}
            wanted["$or"] = [older, {of.at: after.at, "_id": {"$lt": after.key}}]
        while True:
            if self.generation is None and not await self.refresh():
                raise Problem("projection_unavailable", retry_after=2)
            generation = self.generation or ""
            order = [(of.at, -1), ("_id", -1)]
            rows = self._mongo.projection(of.name, generation).find(wanted).sort(order).limit(limit)
            found = [row async for row in rows]
            if generation == self.generation and (found or not await self.refresh()):
                return generation, found

    async def standings(self, tenant: str, batch: str) -> list[tuple[str, Standing]]:
        """How far each document of a batch is."""
        wanted = {**ListFilter(tenant, batch=batch).query(), **DOCUMENTS.only}
        fields = {"version": 1, "view.status": 1, "view.percent": 1}
        rows = self._of("documents").find(wanted, fields).batch_size(_STEP)
        return [
            (row["_id"], Standing(row["version"], row["view"]["status"], row["view"]["percent"])) async for row in rows
        ]

    async def timeline(self, key: DocumentKey, *, limit: int, after: int) -> list[Row]:
        """At most `limit` rows in the order of the log, after the offset `after`."""
        wanted = {**under([key.document_id]), "tenant": key.tenant, "offset": {"$gt": after}}
        rows = self._of("timeline").find(wanted).sort("offset", 1).limit(limit)
        return [row async for row in rows]

    async def offsets(self, key: DocumentKey, *, until: int) -> list[int]:
        """Where in its partition of the log the facts of a document stand that made versions up to `until`."""
        wanted = {**under([key.document_id]), "tenant": key.tenant, "version": {"$lte": until}}
        rows = self._of("timeline").find(wanted, {"offset": 1}).sort("offset", 1).batch_size(_STEP)
        return [row["offset"] async for row in rows]

    async def chunks(self, key: DocumentKey, *, limit: int, start: int) -> list[Row]:
        """At most `limit` chunks from index `start` on, without their vectors."""
        wanted = {"document_id": key.document_id, "tenant": key.tenant, "index": {"$gte": start}}
        rows = self._of("chunks").find(wanted, {"embedding": 0}).sort("index", 1).limit(limit)
        return [row async for row in rows]

    async def chunks_by_id(self, tenant: str, ids: Sequence[str]) -> dict[str, Row]:
        """The chunks of documents that are not deleted, with the documents' names and without vectors."""
        rows = self._of("chunks").find({"_id": {"$in": list(ids)}, "tenant": tenant}, {"embedding": 0})
        found = {row["_id"]: row async for row in rows}
        named = {"_id": {"$in": [row["document_id"] for row in found.values()]}, "deleted": {"$ne": True}}
        names = {row["_id"]: row["filename"] async for row in self._of("documents").find(named, {"filename": 1})}
        return {
            i: {**row, "filename": names[row["document_id"]]} for i, row in found.items() if row["document_id"] in names
        }

    async def extraction(self, key: DocumentKey) -> Row | None:
        """What was found in the document."""
        found: Row | None = await self._of("extractions").find_one({"_id": key.document_id, "tenant": key.tenant})
        return found

    async def present(self, document_ids: Sequence[str]) -> set[str]:
        """Which of these the projection knows."""
        if not document_ids:
            return set()
        rows = self._of("documents").find({"_id": {"$in": list(document_ids)}}, {"_id": 1})
        return {row["_id"] async for row in rows}

    async def totals(self, tenant: str | None) -> Totals:
        """What is counted of a tenant's documents; of all tenants together for None."""
        if self.generation is None:
            await self.refresh()
        whose = {} if tenant is None else {"_id": tenant}
        return Totals([row["counts"] async for row in self._of(TOTALS).find(whose, {"counts": 1})])

    async def open_jobs(self, tenant: str, limit: int) -> int:
        """How many standalone jobs of the tenant have not ended, counted up to `limit`."""
        wanted = {"tenant": tenant, "unfinished": True}
        return int(await self._of("jobs").count_documents(wanted, limit=limit))

    def _of(self, name: str) -> Collection:
        return self._mongo.projection(name, self.generation or "none")


def _by_collection(keys: Sequence[DocumentKey]) -> Mapping[str, list[str]]:
    """The ids of `keys`, by the collection that holds such rows."""
    ids: dict[str, list[str]] = {}
    for key in keys:
        ids.setdefault("jobs" if is_job_id(key.document_id) else "documents", []).append(key.document_id)
    return ids
