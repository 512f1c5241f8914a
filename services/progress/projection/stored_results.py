"""Stored results: what stages concluded, from the blob store into the collections that readers query."""

import base64
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from shared.document.state import DocumentState
from shared.error_catalog import describe
from shared.projecting.fences import put_all
from shared.runtime.failpoints import provoke
from shared.storage import mongo
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo, Row

_LOAD: Final = "progress.load"  # the fence and its failpoint
_STORED: Final = ("chunk", "extract")  # the stages whose results readers query
_MAX_BYTES: Final = 256 * 1024  # of an extraction in one row: what a reader may wait for while others wait behind it


class Found(NamedTuple):
    """The stored result of one stage of one document; None where it is missing or damaged."""

    state: DocumentState
    stage: str
    name: str
    result: Any


Store = Callable[[Sequence[Found]], Awaitable[None]]


class StoredResults:
    """Loads the results of one generation's documents."""

    def __init__(self, database: Mongo, generation: str, blobs: Blobs) -> None:
        self._documents = database.projection("documents", generation)
        self._chunks = database.projection("chunks", generation)
        self._extractions = database.projection("extractions", generation)
        self._blobs = blobs
        by_stage = zip(_STORED, (self._store_chunks, self._store_extractions), strict=True)
        self._store: Final[Mapping[str, Store]] = dict(by_stage)

    async def load(self, states: Sequence[DocumentState]) -> None:
        """Store every result of the documents that is not stored yet; all of them are in memory at once.

        A result that is missing, damaged, or of a shape or size that cannot be stored becomes a fault of that document
        and stage, which readers see. Raises the outages of the store and of the database.
        """
        found = await self._missing(states)
        refused = await put_all(_LOAD, found, self._put, lambda one: one.state.document_id)
        unusable = {one.name for one in refused}
        noted = [({"_id": one.state.document_id}, _note(one, unusable)) for one in found]
        loaded = [(_with_results(state), {"$set": {"unloaded": False}}) for state in states]
        await mongo.change(self._documents, [*noted, *loaded])

    async def _missing(self, states: Sequence[DocumentState]) -> list[Found]:
        """What is not stored, with what the store has of it; again what was not there or of no use at the last look."""
        ids = [state.document_id for state in states]
        loaded = {}
        async for row in self._documents.find({"_id": {"$in": ids}}, {"loaded": 1, "faults": 1}):
            faults = row.get("faults", {})
            loaded[row["_id"]] = {s: name for s, name in row.get("loaded", {}).items() if s not in faults}
        missing = [
            (state, stage, name)
            for state in states
            for stage, name in wanted(state).items()
            if loaded.get(state.document_id, {}).get(stage) != name
        ]
        results = await self._blobs.get_results([name for _, _, name in missing])
        return [Found(*wanted, result) for wanted, result in zip(missing, results, strict=True)]

    async def _put(self, found: Sequence[Found]) -> None:
        for one in found:
            provoke(_LOAD, one.state.document_id)
        for stage, store in self._store.items():
            await store([one for one in found if one.stage == stage and one.result is not None])

    async def unloaded(self, limit: int, but: Collection[str] = ()) -> list[str]:
        """At most so many documents with results that are not stored, the newest first; none of `but`."""
        wanted = {"unloaded": True, "deleted": False, "_id": {"$nin": list(but)}}
        found = self._documents.find(wanted, {"_id": 1}).sort("uploaded_at", -1).limit(limit)
        return [row["_id"] async for row in found]

    async def _store_chunks(self, found: Sequence[Found]) -> None:
        await mongo.replace(self._chunks, [_chunk(one.state, chunk) for one in found for chunk in one.result["chunks"]])
        # A run before may have cut the document into more.
        beyond = [{"document_id": one.state.document_id, "index": {"$gte": len(one.result["chunks"])}} for one in found]
        if beyond:
            await self._chunks.delete_many({"$or": beyond})

    async def _store_extractions(self, found: Sequence[Found]) -> None:
        await mongo.replace(self._extractions, [_extraction(one) for one in found])


def wanted(state: DocumentState) -> dict[str, str]:
    """The results that belong into collections, by stage."""
    return {
        stage: stage_state.result
        for stage, stage_state in state.stages.items()
        if stage_state.result and stage in _STORED
    }


def has_new_results(before: DocumentState | None, after: DocumentState) -> bool:
    """Whether readers do not find a result in its collection that the document did not have before."""
    if after.status == "deleted" or (before and after.stages is before.stages):
        return False
    return not wanted(after).items() <= (wanted(before) if before else {}).items()


def _with_results(state: DocumentState) -> Row:
    """The document's row, if it does not name other results by now."""
    results = ((stage, state.stages[stage].result) for stage in _STORED if stage in state.stages)
    return {"_id": state.document_id, **{f"results.{stage}": name or {"$exists": False} for stage, name in results}}


def _note(one: Found, unusable: set[str]) -> Row:
    """The change of a document's row once a result has been looked at."""
    loaded = {f"loaded.{one.stage}": one.name}
    if one.result is not None and one.name not in unusable:
        return {"$set": loaded, "$unset": {f"faults.{one.stage}": ""}, "$currentDate": {"searchable_at": True}}
    code = "result_missing" if one.result is None else "result_unusable"
    sentence, action = describe(code, {"name": one.stage})
    return {"$set": {**loaded, f"faults.{one.stage}": {"code": code, "message": sentence, "action": action}}}


def _extraction(one: Found) -> Row:
    """The row of an extraction; the findings of a large one stay in the blob store, under the name in `findings_in`."""
    row = {**one.result, "_id": one.state.document_id, "tenant": one.state.tenant}
    if mongo.size_of(row) <= _MAX_BYTES:
        return row
    return {**row, "findings": [], "findings_in": one.name}


def _chunk(state: DocumentState, chunk: Any) -> Row:
    row = {name: chunk[name] for name in ("index", "text", "pages", "start", "end", "heading_path")}
    encoded = chunk["vector"]
    return {
        "_id": f"{state.document_id}/{chunk['index']}",
        "document_id": state.document_id,
        "tenant": state.tenant,
        **row,
        "embedding": mongo.vector(base64.b64decode(encoded)) if encoded else None,
    }
