"""Claims in the control database: which document stands for which bytes, and for which Idempotency-Key.

A claim holds the whole `DocumentUploaded` that it stands for, so an upload that finds it appends the same fact again.
Finding leaves a trace in the same write, and forgetting looks at the trace in the same write: one of the two comes
first, and the other sees it.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from shared.events.document import DocumentUploaded, decode, utcnow
from shared.storage.mongo import Collection, DuplicateKeyError, Mongo, Row


@dataclass(frozen=True)
class Upload:
    """A claimed upload: the fact to append, and whether its bytes had been here before."""

    fact: DocumentUploaded
    duplicate: bool = False


class KeyReused(ValueError):
    """The Idempotency-Key stands for other bytes."""


class Claims:
    """Each method is one conditional write; two that race end with one winner."""

    def __init__(self, mongo: Mongo) -> None:
        self._uploads = mongo.control["uploads"]
        self._keys = mongo.control["idempotency_keys"]
        self._secrets = mongo.control["secrets"]

    async def prepare(self) -> bytes:
        """Create what the claims need; the installation's secret for hashing content (32 bytes)."""
        await self._uploads.create_index([("document_id", 1)])
        await self._keys.create_index([("document_id", 1)])
        row = await _insert_or_find(self._secrets, {"_id": "upload_digest", "value": secrets.token_bytes(32)})
        return bytes(row["value"])

    async def claim_key(self, name: str, digest: str, fact: DocumentUploaded) -> Upload:
        """The upload that this Idempotency-Key stands for: `fact`, or the earlier one. Raises KeyReused."""
        row = await _insert_or_find(self._keys, {"_id": name, "digest": digest, "duplicate": False, **_stored(fact)})
        if not hmac.compare_digest(row["digest"], digest):
            raise KeyReused(name)
        return Upload(_fact(row), row["duplicate"])

    async def settle_key(self, name: str, upload: Upload) -> None:
        """From now on the key stands for `upload`."""
        settled = {"duplicate": upload.duplicate, **_stored(upload.fact), "at": utcnow()}
        await self._keys.update_one({"_id": name}, {"$set": settled})

    async def claim_content(self, name: str, fact: DocumentUploaded, *, force: bool) -> DocumentUploaded:
        """The upload that these bytes stand for: the earlier one if there is one, else (or by force) `fact`."""
        row: Row = {"_id": name, **_stored(fact)}
        if force:
            await self._uploads.replace_one({"_id": name}, row, upsert=True)
            return fact
        return _fact(await _insert_or_find(self._uploads, row))

    async def replace_content(self, name: str, gone: str, fact: DocumentUploaded) -> None:
        """Let `fact` stand for these bytes in place of the document `gone`, whose source is no longer there."""
        await self._uploads.replace_one({"_id": name, "document_id": gone}, {"_id": name, **_stored(fact)})

    async def is_known(self, name: str) -> bool:
        """Whether a person's request came under this Idempotency-Key before."""
        return await self._keys.find_one({"_id": name}) is not None

    async def claim_request(self, name: str, document_id: str) -> None:
        """Remember a person's request, so that repeating it is no new one."""
        await _insert_or_find(self._keys, {"_id": name, "document_id": document_id, "at": utcnow()})

    async def release(self, document_id: str) -> None:
        """The document is being erased: its bytes and keys may come again as something new."""
        await self._uploads.delete_many({"document_id": document_id})
        await self._keys.delete_many({"document_id": document_id})

    async def forget_keys(self, since: datetime) -> None:
        """Remove the Idempotency-Keys that were neither made nor found since then."""
        await self._keys.delete_many(_unused(since))

    async def forget(self, document_id: str, since: datetime) -> bool:
        """Remove the document's claims that were neither made nor found since then; whether none is left."""
        for rows in (self._uploads, self._keys):
            await rows.delete_many({"document_id": document_id, **_unused(since)})
        for rows in (self._uploads, self._keys):
            if await rows.find_one({"document_id": document_id}, {"_id": 1}):
                return False
        return True


async def _insert_or_find(rows: Collection, row: Row) -> Row:
    """`row` itself if it is new, else what stands in its place, with a trace that it was found."""
    while True:
        try:
            await rows.insert_one(row)
        except DuplicateKeyError:
            found: Row | None = await rows.find_one_and_update({"_id": row["_id"]}, {"$set": {"found_at": utcnow()}})
            if found:
                return found
        else:
            return row


def _unused(since: datetime) -> Row:
    """The query for claims that were neither made nor found since then."""
    return {"at": {"$lte": since}, "found_at": {"$not": {"$gt": since}}}


def _stored(fact: DocumentUploaded) -> Row:
    return {"document_id": fact.document_id, "at": fact.at, "fact": fact.encode().decode()}


def _fact(row: Row) -> DocumentUploaded:
    fact = decode(row["fact"].encode())
    assert isinstance(fact, DocumentUploaded)
    return fact
