"""Pages as images, drawn in guarded children: what people upload is never opened in the process that serves them.

The children are those of the stages' harness (own session, limits on memory and time, private folder, killed as a
group), a few of them, started when a page is asked for and ended after a while without a request.
"""

import asyncio
import base64
import shutil
from pathlib import Path
from typing import Any, Final, Self

from services.gateway.auth.limits import Allotment
from services.gateway.problems import Problem
from services.gateway.targets import DocumentKey
from shared.error_catalog import describe
from shared.errors import Rejected
from shared.harness.contract import Slice
from shared.harness.sandbox import temp_folders
from shared.harness.sandbox.pool import Crashed, Pool
from shared.storage import blob_names
from shared.storage.blobs import BlobDamaged, BlobMissing, Blobs, unseal

DEFAULT_WIDTH: Final = 1000
WIDTHS: Final = (16, 2400)  # pixels, least and most
# Stored beside the document, other widths are not: what pages ask for, and the least that anybody may ask for.
KEPT: Final = (WIDTHS[0], 64, 200, DEFAULT_WIDTH, 1600)

_PAINTER: Final = "services.ocr.page_drawing"  # started as a program by this name, never imported
_MAX_WAITING: Final = 64  # images; a page that is scrolled through asks for a dozen
_MAX_OF_ONE: Final = 32  # of one tenant
_DEADLINE: Final = 20.0  # seconds for one image
_MEMORY_MB: Final = 1536  # address space of one child: 250 million pixels of a scan, twice
_IDLE_SECONDS: Final = 30.0
_RETRY_AFTER: Final = 2  # seconds


def kept(width: int) -> int:
    """The widest of the stored widths that is no wider than `width`: drawn once for all callers."""
    return max(each for each in KEPT if each <= width)


class PageImages:
    """Draws pages, a few at once; callers that ask for the same one share it."""

    def __init__(self, blobs: Blobs, at_once: int) -> None:
        self._blobs = blobs
        self._pool = Pool(_PAINTER, at_once, _IDLE_SECONDS)
        self._drawing: dict[str, asyncio.Task[bytes]] = {}
        self._waiting = Allotment("too_many_images", _MAX_OF_ONE, retry_after=_RETRY_AFTER)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(temp_folders.sweep)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._drawing.values()):
            task.cancel()
        await asyncio.gather(*self._drawing.values(), return_exceptions=True)
        await self._pool.close()

    async def jpeg(self, key: DocumentKey, plan: str, slice_: Slice, page: int, width: int) -> bytes:
        """Page `page` of `slice`, a slice of the OCR stage's `plan`, at most `width` pixels wide.

        Raises Problem("image_failed"), Problem("too_many_images"), Rejected("no_image"), Rejected("source_missing").
        """
        name = blob_names.image(*key, plan, page, width)
        if width in KEPT and (stored := await self._stored(name)):
            return stored
        if name not in self._drawing:
            self._begin(key, name, slice_, page, width)
        return await asyncio.shield(self._drawing[name])

    def _begin(self, key: DocumentKey, name: str, slice_: Slice, page: int, width: int) -> None:
        if len(self._drawing) >= _MAX_WAITING:
            raise Problem("too_many_images", retry_after=_RETRY_AFTER)
        self._waiting.take((key.tenant,))
        self._drawing[name] = task = asyncio.create_task(self._draw(key, name, slice_, page, width))

        def ended(_: asyncio.Task[bytes]) -> None:
            del self._drawing[name]
            self._waiting.take((key.tenant,), -1)

        task.add_done_callback(ended)

    async def _stored(self, name: str) -> bytes | None:
        try:
            return _jpeg(await self._blobs.get(name))
        except (BlobMissing, BlobDamaged):
            return None

    async def _draw(self, key: DocumentKey, name: str, slice_: Slice, page: int, width: int) -> bytes:
        asked = slice_.model_copy(update={"pages": (page, page), "args": {**slice_.args, "width": width}})
        try:
            sealed = await self._painted(key, asked)
        except Rejected as refusal:
            if refusal.code in ("no_image", "source_missing"):
                raise
            raise _failed(page, refusal) from refusal
        except Crashed as crash:
            raise _failed(page, crash) from crash
        # not beside a document that was erased meanwhile; what slips through the janitor finds
        if width in KEPT and await self._blobs.exists(blob_names.source(*key)):
            await self._blobs.put(name, sealed)
        return _jpeg(sealed)

    async def _painted(self, key: DocumentKey, slice_: Slice) -> bytes:
        """The child's sealed answer."""
        child = await self._pool.take()
        folder = temp_folders.make()
        try:
            request = await self._request(key, folder, slice_)
            return await child.run(request, deadline=_DEADLINE, memory_mb=_MEMORY_MB, on_tick=lambda _: None)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            await self._pool.give_back(child)

    async def _request(self, key: DocumentKey, folder: Path, slice_: Slice) -> dict[str, Any]:
        try:
            document = await self._blobs.get_result(blob_names.meta(*key))
            source = await self._blobs.local(blob_names.source(*key), folder / "source")
        except (BlobMissing, BlobDamaged):
            raise Rejected("source_missing") from None
        # It holds none of the cores that the stages share: a person waits for it, and it is over in a moment.
        cores = {"folder": str(folder), "count": 1}
        asked = {"function": "work", "slice": slice_.model_dump(mode="json"), "cores": cores, "needs_core": False}
        return {**asked, "document": document, "source": str(source), "earlier": {}}


def _failed(page: int, error: Rejected | Crashed) -> Problem:
    sentence, _ = describe(error.code, error.facts)
    return Problem("image_failed", page=page, reason=sentence.removesuffix("."))


def _jpeg(sealed: bytes) -> bytes:
    return base64.b64decode(unseal(sealed)["image"])
