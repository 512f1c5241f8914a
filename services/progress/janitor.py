"""Removes what nobody needs: blobs without an event, what came late to erased documents, uploads and keys that expired.

Beside the fold, because only a fold that has caught up knows what the log does not know; one is active at a time.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final, NamedTuple

from shared import logs
from shared.blobs import Blobs
from shared.events import utcnow
from shared.mongo import Collection as Rows
from shared.mongo import Mongo
from shared.partial_uploads import PartialUploads
from shared.standalone import is_job_id

log = logs.get(__name__)

KEEP: Final = timedelta(hours=24)  # blobs without an event, idempotency keys
_AT_ONCE: Final = 500  # documents in one query
_A_FEW: Final = 20  # uploads that nobody finished: more than this and
_IN_SO_MANY: Final = 20  # one in so many is a log that has lost a partition, or somebody else's store


class Stored(NamedTuple):
    """A document that something is stored of."""

    tenant: str
    document_id: str


class Janitor:
    """Looks at everything that is stored, against one generation of the projection that has caught up with the log."""

    def __init__(self, database: Mongo, documents: Rows, blobs: Blobs) -> None:
        self._documents = documents
        self._blobs = blobs
        self._partial = PartialUploads(database)
        self._claims = (database.control["uploads"], database.control["idempotency_keys"])

    async def clean(self) -> None:
        """Go round once. Raises the driver's errors and Transient; whatever is left is found the next time."""
        await self._expire()
        known, orphans, late = 0, list[Stored](), list[Stored]()
        batch: list[Stored] = []
        async for tenant, document_id in self._blobs.documents():
            if is_job_id(document_id):
                continue  # the words of standalone jobs, which are kept like their facts
            batch.append(Stored(tenant, document_id))
            if len(batch) == _AT_ONCE:
                known += await self._sort(batch, orphans, late)
                batch = []
        known += await self._sort(batch, orphans, late)
        for found in late:
            await self._blobs.delete_document(*found)
        await self._remove(orphans, known)

    async def _expire(self) -> None:
        """Resumable uploads and idempotency keys that nobody came back for."""
        now = utcnow()
        await self._claims[1].delete_many({"at": {"$lte": now - KEEP}})
        expired = await self._partial.expired(now)
        known = await self._known([upload.document_id for upload in expired])
        for upload in expired:
            await self._partial.remove(upload.document_id)
            if upload.document_id in known:  # its fact was appended and the answer was lost
                await self._blobs.delete_parts(upload.tenant, upload.document_id)
            elif upload.result is None:
                await self._blobs.delete_document(upload.tenant, upload.document_id)

    async def _sort(self, found: Collection[Stored], orphans: list[Stored], late: list[Stored]) -> int:
        """Put each where it belongs; how many the log knows."""
        ids = [one.document_id for one in found]
        known = await self._known(ids)
        in_the_making = await self._partial.among(ids)
        for one in found:
            if known.get(one.document_id):
                late.append(one)
            elif one.document_id not in known and one.document_id not in in_the_making and await self._is_old(one):
                orphans.append(one)
        return len(known)

    async def _known(self, ids: Collection[str]) -> dict[str, bool]:
        """Whether each document is erased, for those that the log knows."""
        rows = self._documents.find({"_id": {"$in": list(ids)}}, {"settled.erased": 1})
        return {row["_id"]: row["settled"]["erased"] async for row in rows}

    async def _is_old(self, one: Stored) -> bool:
        written = await self._blobs.last_written(*one)
        return written is not None and written < utcnow() - KEEP

    async def _remove(self, orphans: Collection[Stored], known: int) -> None:
        if len(orphans) > max(_A_FEW, known // _IN_SO_MANY):
            log.error("the store holds too much that the log does not know; is it another's?", count=len(orphans))
            return
        for one in orphans:
            for claims in self._claims:  # first, so that nobody finds a claim whose bytes are about to go
                await claims.delete_many({"document_id": one.document_id})
            await self._blobs.delete_document(*one)
            log.info("removed blobs without an event", document_id=one.document_id)
