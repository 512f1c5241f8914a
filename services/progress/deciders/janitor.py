"""Removes what is not needed: blobs without an event, late data of erased documents, expired uploads and keys.

Beside the fold, because only a fold that has caught up knows what the log does not know; one is active at a time. What
it finds it looks at again right before it removes it: a claim without an event may be found and its fact appended at
any moment, and the projection may be dropped.
"""

from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from services.progress.projection.eraser import erase
from shared.events.document import utcnow
from shared.events.standalone_job import is_job_id
from shared.projecting.fences import fenced
from shared.runtime import logs
from shared.runtime.batches import in_batches
from shared.runtime.failpoints import provoke, reach
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo
from shared.storage.partial_uploads import PartialUpload, PartialUploads
from shared.storage.upload_claims import Claims

log = logs.get(__name__)

KEEP: Final = timedelta(hours=24)  # blobs without an event, idempotency keys
_GRACE: Final = timedelta(hours=1)  # for an expired upload: a gateway's clock may be behind, a request may be under way
_AT_ONCE: Final = 500  # documents in one query
_MAX_REMOVED: Final = 10_000  # documents that one round removes; there is a next one
_A_FEW: Final = 20  # unfinished uploads: more than this and
_IN_SO_MANY: Final = 20  # one in so many is a log that has lost a partition, or the store of another system


class Stored(NamedTuple):
    """A document that something is stored of."""

    tenant: str
    document_id: str


class _Gone(RuntimeError):
    """The projection was dropped: a document that is missing from it may still exist."""


class Janitor:
    """Looks at everything that is stored, against one generation of the projection that has caught up with the log."""

    def __init__(self, database: Mongo, generation: str, blobs: Blobs) -> None:
        self._database = database
        self._generation = generation
        self._documents = database.projection("documents", generation)
        self._blobs = blobs
        self._partial = PartialUploads(database)
        self._claims = Claims(database)
        self._witness = ""  # a document that the projection knows as long as it is there

    async def clean(self) -> None:
        """Go round once. Raises the driver's errors and Transient; whatever is left is found the next time.

        What one document's data raises is noted, and the others are looked at.
        """
        await self._claims.forget_keys(utcnow() - KEEP)
        row = await self._documents.find_one({}, {"_id": 1})
        if row is None:
            return  # an empty projection cannot show what is not needed
        self._witness = row["_id"]
        try:
            await self._expire()
            await self._look()
            await self._erase_again()
        except _Gone:
            log.warning("the projection went away under the janitor, which comes again")

    async def _expire(self) -> None:
        """Resumable uploads that no client continued."""
        long_ago = utcnow() - _GRACE
        for upload in await self._partial.expired(long_ago):
            with fenced("janitor.expire", upload.document_id, passes=(_Gone,)):
                provoke("janitor.expire", upload.document_id)
                right = self._partial.right(upload.document_id)
                if not await right.acquire():
                    continue  # a request is about to end it
                try:
                    if await self._partial.has_expired(upload.document_id, long_ago):
                        await self._end(upload)
                finally:
                    await right.release()

    async def _end(self, upload: PartialUpload) -> None:
        tenant, document_id = upload.tenant, upload.document_id
        if await self._known([document_id]):  # its fact was appended and the answer was lost
            await self._partial.remove(document_id)
            await self._blobs.delete_parts(tenant, document_id)
        elif upload.result is not None:
            await self._partial.remove(document_id)
        elif await self._claims.forget(document_id, utcnow() - KEEP) and not await self._known([document_id]):
            await self._partial.remove(document_id)
            await self._blobs.delete_document(tenant, document_id)

    async def _look(self) -> None:
        """Walk through the store and remove what is not needed."""
        known, strange, orphans = 0, 0, list[Stored]()
        async for batch in in_batches(self._stored(), _AT_ONCE):
            erased = await self._known([one.document_id for one in batch])
            known += len(erased)
            for one in batch:
                with fenced("janitor.look", one.document_id, passes=(_Gone,)):
                    provoke("janitor.look", one.document_id)
                    if erased.get(one.document_id):
                        await self._blobs.delete_document(*one)  # what came late
                    elif one.document_id not in erased and await self._is_left(one):
                        strange += 1
                        orphans += [one] if strange <= _MAX_REMOVED else []
        if strange > max(_A_FEW, known // _IN_SO_MANY):
            log.error("the store holds too much that the log does not know; is it another's?", count=strange)
            return
        for one in orphans:
            with fenced("janitor.remove", one.document_id, passes=(_Gone,)):
                provoke("janitor.remove", one.document_id)
                await self._remove(one)

    async def _erase_again(self) -> None:
        """Remove rows of erased documents that came late: a projector stood still, lost its lease and woke up."""
        async for rows in in_batches(self._documents.find({"settled.erased": True}, {"_id": 1}), _AT_ONCE):
            await erase(self._database, self._generation, [row["_id"] for row in rows])

    async def _stored(self) -> AsyncIterator[Stored]:
        """The documents of the store, without standalone jobs: their words are kept like their facts."""
        async for tenant, document_id in self._blobs.documents():
            if not is_job_id(document_id):
                yield Stored(tenant, document_id)

    async def _remove(self, one: Stored) -> None:
        """Remove an orphan, if it still is one."""
        document_id = one.document_id
        if await self._known([document_id]) or not await self._is_left(one):
            return
        if not await self._claims.forget(document_id, utcnow() - KEEP):
            return
        reach("janitor.unclaimed")
        # No upload finds it from now on; one that found it before may have appended its fact.
        if not await self._known([document_id]) and await self._is_left(one):
            await self._blobs.delete_document(*one)
            log.info("removed blobs without an event", document_id=document_id)

    async def _known(self, ids: Collection[str]) -> dict[str, bool]:
        """Whether each document is erased, for those that the log knows. Raises _Gone."""
        rows = self._documents.find({"_id": {"$in": [self._witness, *ids]}}, {"settled.erased": 1})
        known = {row["_id"]: row["settled"]["erased"] async for row in rows}
        if self._witness not in known:
            raise _Gone
        return {i: known[i] for i in ids if i in known}

    async def _is_left(self, one: Stored) -> bool:
        """Whether no process writes about the document, and none has for long."""
        if await self._partial.among([one.document_id]):
            return False
        return _is_long_ago(await self._blobs.last_written(*one))


def _is_long_ago(written: datetime | None) -> bool:
    return written is not None and written < utcnow() - KEEP
