"""Stored results: what stages concluded, from the blob store into the collections that readers query."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from shared import mongo
from shared.blobs import BlobDamaged, BlobMissing, Blobs
from shared.document import DocumentState
from shared.errors import describe
from shared.mongo import Mongo, Row


class Results:
    """Loads the results of one generation's documents."""

    def __init__(self, database: Mongo, generation: str, blobs: Blobs) -> None:
        self._documents = database.projection("documents", generation)
        self._chunks = database.projection("chunks", generation)
        self._extractions = database.projection("extractions", generation)
        self._blobs = blobs
        self._store: Final[Mapping[str, Callable[[DocumentState, Any], Awaitable[None]]]] = {
            "chunk": self._store_chunks,
            "extract": self._store_extraction,
        }

    def wanted(self, state: DocumentState) -> dict[str, str]:
        """The results that belong into collections, by stage."""
        return {stage: job.result for stage, job in state.jobs.items() if job.result and stage in self._store}

    async def load(self, state: DocumentState) -> None:
        """Store every result of the document that is not stored yet.

        A missing or damaged blob becomes a fault of that document and stage, which readers are told.
        """
        row = await self._documents.find_one({"_id": state.document_id}, {"loaded": 1})
        loaded = (row or {}).get("loaded", {})
        for stage, name in self.wanted(state).items():
            if loaded.get(stage) != name:
                fault = await self._load(state, stage, name)
                noted: Row = {"$set": {f"loaded.{stage}": name}}
                if fault:
                    noted["$set"][f"faults.{stage}"] = fault
                else:
                    noted["$unset"] = {f"faults.{stage}": ""}
                await self._documents.update_one({"_id": state.document_id}, noted)

    async def unloaded(self) -> list[str]:
        """The documents with results that are not stored."""
        differs = [{"$ne": [f"$results.{stage}", f"$loaded.{stage}"]} for stage in self._store]
        found = self._documents.find({"deleted": False, "$expr": {"$or": differs}}, {"_id": 1})
        return [row["_id"] async for row in found]

    async def _load(self, state: DocumentState, stage: str, name: str) -> Row | None:
        try:
            result = await self._blobs.get_result(name)
        except (BlobMissing, BlobDamaged):
            sentence, action = describe("result_missing", {"name": stage})
            return {"code": "result_missing", "message": sentence, "action": action}
        await self._store[stage](state, result)
        return None

    async def _store_chunks(self, state: DocumentState, result: Any) -> None:
        rows = [_chunk(state, chunk) for chunk in result["chunks"]]
        await mongo.replace(self._chunks, rows)
        await self._chunks.delete_many({"document_id": state.document_id, "index": {"$gte": len(rows)}})

    async def _store_extraction(self, state: DocumentState, result: Any) -> None:
        row = {**result, "_id": state.document_id, "tenant": state.tenant}
        await mongo.replace(self._extractions, [row])


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
