"""A resumable upload: bytes become parts, the last part makes them whole, and the whole is an upload like any other.

A part is a blob first and a row afterwards, so a gateway that dies loses what it had not confirmed and nothing else. A
long request is cut into several parts, for the same reason.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from starlette.requests import ClientDisconnect

from services.gateway.problems import Problem
from services.gateway.uploads import filenames, tus
from services.gateway.uploads.ingest import IncomingUpload, Uploads
from services.gateway.uploads.options import upload_info, upload_options
from services.gateway.uploads.quotas import Quotas
from services.gateway.uploads.tus import Checksum
from shared.errors import Rejected
from shared.events.document import utcnow
from shared.storage import blob_names
from shared.storage.blobs import Blobs
from shared.storage.leases import LeaseLost, holding
from shared.storage.mongo import Mongo
from shared.storage.partial_uploads import Part, PartialUpload, PartialUploads

EXPIRES_AFTER: Final = timedelta(hours=24)  # since the last byte
_PART: Final = 16 * 1024 * 1024  # bytes after which a part is confirmed
_TURN_WITHIN: Final = 60.0  # seconds to wait while another request makes the same upload whole


class Body:
    """The bytes of one request, at most `limit` of them; a connection that breaks off ends them early.

    So does a sender that is refused on the way, for being too slow: what has arrived counts all the same.
    """

    def __init__(self, chunks: AsyncIterator[bytes], limit: int, checksum: Checksum | None) -> None:
        self._chunks = chunks
        self._left = limit
        self.refusal: Problem | None = None
        self.checksum = checksum

    async def read(self) -> bytes:
        """The next bytes, none at the end. Raises Problem("upload.too_long")."""
        data = b""
        try:
            while not data:
                data = await anext(self._chunks)
        except (StopAsyncIteration, ClientDisconnect):
            return b""
        except Problem as refusal:
            self.refusal = refusal
            return b""
        self._left -= len(data)
        if self._left < 0:
            raise Problem("upload.too_long")
        if self.checksum:
            self.checksum.update(data)
        return data


class ResumableUploads:
    """Creates, continues, finishes and removes resumable uploads."""

    def __init__(self, mongo: Mongo, blobs: Blobs, uploads: Uploads, quotas: Quotas) -> None:
        self._rows = PartialUploads(mongo)
        self._blobs = blobs
        self._uploads = uploads
        self._quotas = quotas

    async def create(self, tenant: str, length: int, metadata: str) -> PartialUpload:
        """Begin an upload of `length` bytes. Raises Problem, Rejected("empty_file")."""
        if length == 0:
            raise Rejected("empty_file")
        self._uploads.check_size(length)
        document_id = str(uuid.uuid4())
        incoming_upload(tenant, document_id, metadata)  # so is this
        upload = PartialUpload(document_id, tenant, length, metadata, utcnow() + EXPIRES_AFTER)
        await self._quotas.hold_rows(tenant, "resumable", self._rows.count)
        # Refused now, not after the last byte; and with what others were announced to bring, for they may never end.
        async with self._quotas.room(tenant, await self._rows.announced(tenant) + length):
            await self._rows.create(upload)
        return upload

    async def find(self, tenant: str, document_id: str) -> PartialUpload:
        """The upload of this id. Raises Problem: upload.not_found, upload.expired."""
        upload = await self._rows.find(tenant, document_id)
        if upload is None:
            raise Problem("upload.not_found")
        if upload.result is None and upload.expires_at <= utcnow():
            raise Problem("upload.expired")
        return upload

    async def offset(self, upload: PartialUpload) -> int:
        """How many bytes are safe."""
        return upload.length if upload.result else await self._rows.end(upload.document_id)

    async def receive(
        self, upload: PartialUpload, offset: int, chunks: AsyncIterator[bytes], checksum: Checksum | None
    ) -> int:
        """Add the bytes of one request that begin at `offset`; the offset after them. Raises Problem, Transient."""
        known = await self.offset(upload)
        if offset != known:
            raise Problem("upload.wrong_offset", offset=known)
        body = Body(chunks, upload.length - offset, checksum)
        async with self._uploads.place(upload.tenant):
            while first := await body.read():
                offset = await self._add(upload, offset, first, body)
        await self._rows.prolong(upload.document_id, utcnow() + EXPIRES_AFTER)
        if body.refusal:
            raise body.refusal
        return offset

    async def _add(self, upload: PartialUpload, offset: int, first: bytes, body: Body) -> int:
        """Store one part and let it count; the offset after it."""
        name = blob_names.part(upload.tenant, upload.document_id, offset, uuid.uuid4().hex[:12])
        size = 0
        data = first
        async with self._blobs.writing(name) as writer:
            while data:
                await writer.write(data)
                size += len(data)
                # What a checksum covers is one part: nothing of it may count before all of it is known to be right.
                data = b"" if size >= _PART and not body.checksum else await body.read()
            if body.checksum:
                body.checksum.check()
        part = Part(offset, size, name)
        if not await self._rows.add(upload.document_id, part):
            await self._blobs.delete(name)
            raise Problem("upload.wrong_offset", offset=await self._rows.end(upload.document_id))
        return part.end

    async def finish(self, upload: PartialUpload) -> PartialUpload:
        """Make it whole, once, however many ask for it; with its result. Raises what a normal upload raises.

        What is refused for what it is, is removed: no byte more or less would change the answer.
        """
        try:
            async with asyncio.timeout(_TURN_WITHIN) as waiting, holding(self._rows.right(upload.document_id)):
                waiting.reschedule(None)
                upload = await self.find(upload.tenant, upload.document_id)
                return upload if upload.result else await self._join(upload)
        except (TimeoutError, LeaseLost):
            raise Problem("upload.locked", retry_after=2) from None

    async def _join(self, upload: PartialUpload) -> PartialUpload:
        parts = await self._rows.parts(upload.document_id)
        await self._rows.prolong(upload.document_id, utcnow() + EXPIRES_AFTER)
        whole = incoming_upload(upload.tenant, upload.document_id, upload.metadata, self._read(parts))
        try:
            taken = await self._uploads.take(whole, upload.length)
        except Rejected:
            await self._forget(upload)
            raise
        result = (taken.fact.document_id, taken.duplicate)
        await self._rows.finish(upload.document_id, result)
        await self._blobs.delete_parts(upload.tenant, upload.document_id)
        return upload._replace(result=result)

    async def _read(self, parts: list[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            async with aclosing(self._blobs.reading(part.name)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def remove(self, upload: PartialUpload) -> None:
        """End an upload before it is whole; of a whole one only its memory goes, the document stays."""
        async with holding(self._rows.right(upload.document_id)):
            upload = await self.find(upload.tenant, upload.document_id)
            if upload.result is None and await self.offset(upload) == upload.length:
                upload = await self._join(upload)  # its fact may be in the log already
            await self._forget(upload)

    async def forget_document(self, document_id: str) -> None:
        """The document is being erased; of an upload that became it nothing is to be found any more."""
        await self._rows.forget(document_id)

    async def _forget(self, upload: PartialUpload) -> None:
        await self._rows.remove(upload.document_id)
        if upload.result is None:
            await self._blobs.delete_document(upload.tenant, upload.document_id)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


def incoming_upload(
    tenant: str, document_id: str, metadata: str, chunks: AsyncIterator[bytes] | None = None
) -> IncomingUpload:
    """The upload that the `Upload-Metadata` of tus describes. Raises Problem("bad_request")."""
    given = tus.metadata(metadata)
    filename = filenames.clean(given.get("filename") or given.get("name"))
    tags = [tag for tag in given.get("tags", "").split(",") if tag.strip()]
    return IncomingUpload(
        tenant=tenant,
        document_id=document_id,
        info=upload_info(given.get("batch") or None, tags, filename),
        content_type=(given.get("filetype") or given.get("type") or "")[:255] or None,
        chunks=chunks or _nothing(),
        options=upload_options(given.get("languages"), force=tus.is_yes(given.get("force"))),
    )
