"""Stored results: what stages concluded, from the blob store into the collections that readers query."""

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from shared import mongo
from shared.blobs import Blobs
from shared.document import DocumentState
from shared.errors import describe
from shared.mongo import Mongo, Row

Store = Callable[[Sequence[tuple[DocumentState, Any]]], Awaitable[None]]


class Results:
    """Loads the results of one generation's documents."""

    def __init__(self, database: Mongo, generation: str, blobs: Blobs) -> None:
        self._documents = database.projection("documents", generation)
        self._chunks = database.projection("chunks", generation)
        self._extractions = database.projection("extractions", generation)
        self._blobs = blobs
        self._store: Final[Mapping[str, Store]] = {"chunk": self._store_chunks, "extract": self._store_extractions}

    def wanted(self, state: DocumentState) -> dict[str, str]:
        """The results that belong into collections, by stage."""
        return {stage: job.result for stage, job in state.jobs.items() if job.result and stage in self._store}

    async def load(self, states: Sequence[DocumentState]) -> None:
        """Store every result of the documents that is not stored yet; all of them are in memory at once.

        A missing or damaged blob becomes a fault of that document and stage, which readers are told.
        """
        ids = [state.document_id for state in states]
        rows = self._documents.find({"_id": {"$in": ids}}, {"loaded": 1})
        loaded = {row["_id"]: row.get("loaded", {}) async for row in rows}
        missing = [
            (state, stage, name)
            for state in states
            for stage, name in self.wanted(state).items()
            if loaded.get(state.document_id, {}).get(stage) != name
        ]
        results = await self._blobs.get_results([name for _, _, name in missing])
        found = [(*wanted, result) for wanted, result in zip(missing, results, strict=True)]
        for stage, store in self._store.items():
            await store([(state, result) for state, of, _, result in found if of == stage and result is not None])
        noted = [(s.document_id, _note(stage, name, is_there=result is not None)) for s, stage, name, result in found]
        await mongo.change(self._documents, noted)

    async def unloaded(self) -> list[str]:
        """The documents with results that are not stored."""
        differs = [{"$ne": [f"$results.{stage}", f"$loaded.{stage}"]} for stage in self._store]
        found = self._documents.find({"deleted": False, "$expr": {"$or": differs}}, {"_id": 1})
        return [row["_id"] async for row in found]

    async def _store_chunks(self, results: Sequence[tuple[DocumentState, Any]]) -> None:
        await mongo.replace(
            self._chunks, [_chunk(state, chunk) for state, found in results for chunk in found["chunks"]]
        )
        # A run before may have cut the document into more.
        beyond = [{"document_id": s.document_id, "index": {"$gte": len(found["chunks"])}} for s, found in results]
        if beyond:
            await self._chunks.delete_many({"$or": beyond})

    async def _store_extractions(self, results: Sequence[tuple[DocumentState, Any]]) -> None:
        rows = [{**found, "_id": state.document_id, "tenant": state.tenant} for state, found in results]
        await mongo.replace(self._extractions, rows)


def _note(stage: str, name: str, *, is_there: bool) -> Row:
    """The change of a document's row once a result has been looked at."""
    loaded = {f"loaded.{stage}": name}
    if is_there:
        return {"$set": loaded, "$unset": {f"faults.{stage}": ""}}
    sentence, action = describe("result_missing", {"name": stage})
    return {"$set": {**loaded, f"faults.{stage}": {"code": "result_missing", "message": sentence, "action": action}}}


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
