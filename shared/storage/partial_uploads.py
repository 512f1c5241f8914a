"""Resumable uploads that are not whole yet: a row for each, and a row for each part that is safely in the store.

Rows of parts decide: a part counts from the moment its row is there, and of two that begin at the same byte the first
row wins. So the offset of an upload is where its last part ends, whichever process wrote it and whichever died
meanwhile.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from shared.storage.leases import Owner, Ownership
from shared.storage.mongo import DuplicateKeyError, Mongo, Row

_MAX_EXPIRED: Final = 1_000  # uploads that one look of the janitor takes


class PartialUpload(NamedTuple):
    """An upload in the making. `result` is the document's id and whether it was a duplicate, once it is whole."""

    document_id: str
    tenant: str
    length: int  # bytes of the whole
    metadata: str  # as the client sent it
    expires_at: datetime
    result: tuple[str, bool] | None = None


class Part(NamedTuple):
    """A piece of an upload: the blob `name` holds `size` bytes from `offset` on."""

    offset: int
    size: int
    name: str

    @property
    def end(self) -> int:
        """The offset of the next part."""
        return self.offset + self.size


class PartialUploads:
    """The rows, in the control database."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._uploads = mongo.control["partial_uploads"]
        self._parts = mongo.control["upload_parts"]

    def right(self, document_id: str) -> Ownership:
        """The right to end an upload, this way or that, of one request at a time."""
        return Ownership(self._mongo, f"upload/{document_id}", Owner.of(uuid.uuid4().hex))

    async def create(self, upload: PartialUpload) -> None:
        """Begin a new upload."""
        await self._uploads.insert_one({**upload._asdict(), "_id": upload.document_id})

    async def find(self, tenant: str, document_id: str) -> PartialUpload | None:
        """The upload of this id, if it is the tenant's."""
        row = await self._uploads.find_one({"_id": document_id, "tenant": tenant})
        return _upload(row) if row else None

    async def parts(self, document_id: str) -> list[Part]:
        """The parts in their order; each begins where the one before ends."""
        rows = self._parts.find({"document_id": document_id}).sort("offset", 1)
        return [Part(row["offset"], row["size"], row["name"]) async for row in rows]

    async def end(self, document_id: str) -> int:
        """Where the next part begins."""
        last = await self._parts.find_one({"document_id": document_id}, sort=[("offset", -1)])
        return last["offset"] + last["size"] if last else 0

    async def add(self, document_id: str, part: Part) -> bool:
        """Let `part` count; False where another part begins at the same byte already."""
        row = {"_id": f"{document_id}/{part.offset}", "document_id": document_id, **part._asdict()}
        try:
            await self._parts.insert_one(row)
        except DuplicateKeyError:
            return False
        return True

    async def prolong(self, document_id: str, expires_at: datetime) -> None:
        """The upload moves: it expires later."""
        await self._uploads.update_one({"_id": document_id}, {"$set": {"expires_at": expires_at}})

    async def count(self, tenant: str, limit: int) -> int:
        """How many uploads of the tenant there are, finished ones among them; `limit` for more."""
        return int(await self._uploads.count_documents({"tenant": tenant}, limit=limit))

    async def announced(self, tenant: str) -> int:
        """The bytes that the tenant's uploads will have which are not whole yet."""
        steps: list[Row] = [
            {"$match": {"tenant": tenant, "result": None}},
            {"$group": {"_id": None, "bytes": {"$sum": "$length"}}},
        ]
        return sum([int(row["bytes"]) async for row in self._uploads.aggregate(steps)])

    async def finish(self, document_id: str, result: tuple[str, bool]) -> None:
        """The upload is whole and its fact is in the log; its parts are needed no more."""
        await self._uploads.update_one({"_id": document_id}, {"$set": {"result": list(result)}})
        await self._parts.delete_many({"document_id": document_id})

    async def remove(self, document_id: str) -> None:
        """Forget the upload and its parts."""
        await self._uploads.delete_one({"_id": document_id})
        await self._parts.delete_many({"document_id": document_id})

    async def forget(self, document_id: str) -> None:
        """Forget every upload that became this document: its metadata comes from a person."""
        async for row in self._uploads.find({"$or": [{"_id": document_id}, {"result.0": document_id}]}, {"_id": 1}):
            await self.remove(row["_id"])

    async def expired(self, now: datetime) -> list[PartialUpload]:
        """Uploads that have not moved for too long, finished ones among them; the oldest first."""
        rows = self._uploads.find({"expires_at": {"$lte": now}}).sort("expires_at", 1).limit(_MAX_EXPIRED)
        return [_upload(row) async for row in rows]

    async def has_expired(self, document_id: str, now: datetime) -> bool:
        """Whether there is such an upload and it has not moved for too long."""
        return await self._uploads.find_one({"_id": document_id, "expires_at": {"$lte": now}}, {"_id": 1}) is not None

    async def among(self, document_ids: Collection[str]) -> set[str]:
        """Those of `document_ids` that are uploads in the making."""
        wanted: Sequence[str] = list(document_ids)
        return {row["_id"] async for row in self._uploads.find({"_id": {"$in": wanted}}, {"_id": 1})}


def _upload(row: Row) -> PartialUpload:
    document_id, is_duplicate = row["result"] or (None, False)
    result = (document_id, is_duplicate) if document_id else None
    return PartialUpload(row["_id"], row["tenant"], row["length"], row["metadata"], row["expires_at"], result)
