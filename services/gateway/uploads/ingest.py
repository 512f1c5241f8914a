"""An upload: stream it into the store, claim its content, append the fact. In this order, so that a crash heals.

Blobs before the claim, the claim before the event. An upload that finds a claim appends the claimed fact again, so one
that was cut short between the two is finished by the next one.
"""

import asyncio
import hashlib
import hmac
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final

from services.gateway.concurrency.fair_slots import FairSlots
from services.gateway.problems import Problem
from services.gateway.uploads.options import DEFAULTS, UploadOptions
from services.gateway.uploads.quotas import Quotas, Room
from shared import media_types
from shared.document.upload_info import UploadInfo
from shared.events.document import DocumentUploaded, utcnow
from shared.events.pipeline import PIPELINE
from shared.harness.contract import Document
from shared.kafka.producer import Producer
from shared.storage import blob_names
from shared.storage.blobs import Blobs
from shared.storage.upload_claims import Claims, KeyReused, Upload

HEAD: Final = 4096  # bytes that `sniff` wants to see
QUEUE_SECONDS: Final = 30.0  # how long an upload waits for a place; meanwhile the client's bytes wait in its socket


@dataclass(frozen=True)
class IncomingUpload:
    """An upload whose bytes are still to be read."""

    tenant: str
    info: UploadInfo
    content_type: str | None  # as declared
    chunks: AsyncIterator[bytes]
    options: UploadOptions = DEFAULTS
    document_id: str = field(default_factory=lambda: str(uuid.uuid4()))  # if its bytes are new


@dataclass(frozen=True)
class _Stored:
    size: int
    media_type: str
    digest: str


class Uploads:
    """Takes uploads, a bounded number at once, of one tenant half of them at the most."""

    def __init__(
        self,
        blobs: Blobs,
        claims: Claims,
        producer: Producer,
        quotas: Quotas,
        secret: bytes,
        *,
        max_bytes: int,
        at_once: int,
    ) -> None:
        self._blobs = blobs
        self._claims = claims
        self._producer = producer
        self._quotas = quotas
        self._secret = secret
        self.max_bytes = max_bytes
        self._places = FairSlots(at_once, "too_many_uploads", QUEUE_SECONDS)

    def check_length(self, declared: str | None) -> int:
        """The declared length, 0 without one. Raises Problem("too_large") for a length above the limit."""
        length = int(declared) if declared is not None and declared.isdecimal() else 0
        self._check_body(length)
        return length

    def checking(self, arrived: Callable[[int], None]) -> Callable[[int], None]:
        """The same, which also raises Problem("too_large") for a body without a length, whatever stands in it."""
        seen = 0

        def counted(size: int) -> None:
            nonlocal seen
            seen += size
            self._check_body(seen)
            arrived(size)

        return counted

    def _check_body(self, size: int) -> None:
        if size > self.max_bytes + _FORM_OVERHEAD:
            raise self._too_large(size)

    def check_size(self, size: int) -> None:
        """Raise Problem("too_large") for a document of more bytes than are taken."""
        if size > self.max_bytes:
            raise self._too_large(size)

    async def take(self, incoming: IncomingUpload, size: int) -> Upload:
        """Store the incoming and append its fact; nothing of a refused one is left. `size` is as declared, or 0.

        Raises Problem, Rejected, Transient, Unconfirmed (the fact may or may not be in the log; claim and blobs stay).
        """
        async with self._quotas.room(incoming.tenant, size) as room:
            upload = await self._take(incoming, room)
            if not upload.duplicate:
                room.becomes(upload.fact)
        return upload

    async def _take(self, incoming: IncomingUpload, room: Room) -> Upload:
        document_id = incoming.document_id
        async with self.place(incoming.tenant):
            stored = await self._store(incoming, room)
        try:
            upload = await self._claim(incoming, _fact(incoming, stored), stored.digest)
        except KeyReused:
            await self._blobs.delete_document(incoming.tenant, document_id)
            raise Problem("idempotency_key_reused") from None
        await self._producer.append(upload.fact)
        if upload.fact.document_id != document_id:  # only now: until then a resumable upload may have to begin again
            await self._blobs.delete_document(incoming.tenant, document_id)
        return upload

    async def _store(self, incoming: IncomingUpload, room: Room) -> _Stored:
        languages = "+".join(incoming.options.languages).encode()  # in others the same bytes read otherwise
        digest = hmac.new(self._secret, languages, hashlib.sha256)
        head, rest = await _head(incoming.chunks)
        media_type = sniff(head)
        size = 0
        source, meta = (
            blob_names.source(incoming.tenant, incoming.document_id),
            blob_names.meta(incoming.tenant, incoming.document_id),
        )
        async with self._blobs.writing(source) as writer:
            async for chunk in _chain(head, rest):
                size += len(chunk)
                self.check_size(size)
                room.hold(size)
                digest.update(chunk)
                await writer.write(chunk)
        stored = _Stored(size, media_type, digest.hexdigest())
        try:
            await self._blobs.put_result(meta, _meta(incoming, stored))
        except BaseException:
            await asyncio.shield(self._forget(source, meta))
            raise
        return stored

    async def _forget(self, *written: str) -> None:
        for name in written:
            await self._blobs.delete(name)

    async def _claim(self, incoming: IncomingUpload, fact: DocumentUploaded, digest: str) -> Upload:
        """Which document these bytes are. Doing it again, also after a crash in the middle, ends with the same."""
        name = incoming.options.idempotency_key
        key = f"{incoming.tenant}/upload/{name}" if name else None
        earlier = await self._claims.claim_key(key, digest, fact) if key else Upload(fact)
        winner = await self._claim_content(incoming, earlier.fact, digest)
        upload = Upload(winner, earlier.duplicate or winner.event_id != earlier.fact.event_id)
        if key and upload != earlier:
            await self._claims.settle_key(key, upload)
        return upload

    async def _claim_content(self, incoming: IncomingUpload, fact: DocumentUploaded, digest: str) -> DocumentUploaded:
        name = f"{incoming.tenant}/{digest}"
        winner = await self._claims.claim_content(name, fact, force=incoming.options.force)
        if winner.document_id == fact.document_id:
            return winner
        if await self._blobs.exists(blob_names.source(winner.tenant, winner.document_id)):
            return winner
        await self._claims.replace_content(name, winner.document_id, fact)
        return await self._claims.claim_content(name, fact, force=False)

    def place(self, tenant: str) -> AbstractAsyncContextManager[None]:
        """Wait for a place and hold it. Raises Problem("too_many_uploads")."""
        return self._places.one(tenant)

    def _too_large(self, got: int) -> Problem:
        return Problem(
            "too_large", what="The upload", got=_bytes(got), limit=_bytes(self.max_bytes), setting=_MAX_UPLOAD
        )


_MAX_UPLOAD: Final = "PAGESTREAM_MAX_UPLOAD"
_FORM_OVERHEAD: Final = 64 * 1024  # bytes that a form may have around its file


def _fact(incoming: IncomingUpload, stored: _Stored) -> DocumentUploaded:
    return DocumentUploaded.claim(
        document_id=incoming.document_id,
        claim="1",
        tenant=incoming.tenant,
        at=utcnow(),
        producer="gateway",
        pipeline=tuple(PIPELINE),
        size=stored.size,
        media_type=stored.media_type,
    )


def _meta(incoming: IncomingUpload, stored: _Stored) -> dict[str, object]:
    document = Document(
        document_id=incoming.document_id,
        tenant=incoming.tenant,
        content_type=incoming.content_type,
        size=stored.size,
        languages=incoming.options.languages,
        **incoming.info.to_row(),
    )
    return document.model_dump(mode="json")


async def _head(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first bytes, enough to tell what it is, and the iterator with the rest."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD:
            break
    return head, chunks


async def _chain(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk


def _bytes(count: int) -> str:
    return f"{count:,} bytes"


def sniff(head: bytes) -> str:
    """The media type of the document that begins with `head`, of which no more than HEAD bytes are looked at.

    Raises Rejected: empty_file, or unsupported_type with what was found.
    """
    return media_types.MEDIA_TYPES[media_types.sniff(head[:HEAD])]
