"""The blob store: sources and results, named by what they answer, written safely before any event names them.

`file://FOLDER` on one machine, `s3://BUCKET/PREFIX` where there is a cluster (credentials and endpoint from the usual
AWS_… variables). The library does not fsync on files, so this module does: file and folder, before a name is published.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from errno import EDQUOT, ENOSPC
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import obstore
import orjson
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, S3Store

from shared.errors import Transient
from shared.storage.blob_names import PART_PREFIX, SNAPSHOTS

_MAGIC: Final = b"pagestream/1 sha256="
_HEADER: Final = len(_MAGIC) + 64 + 1  # magic, digest in hex, newline
_HEALTH: Final = ".health"
_LARGE: Final = 256 * 1024  # bytes whose digest takes a millisecond
_READERS: Final = 8  # threads that read many small blobs
_PAGE: Final = 1_000  # names that are listed at once
_PART: Final = 5 * 1024 * 1024  # bytes; the smallest part S3 accepts


class BlobMissing(LookupError):
    """There is no blob of this name."""


class BlobDamaged(ValueError):
    """The blob's bytes are not those that were written."""


def seal(value: Any) -> bytes:
    """A JSON value with the header that carries its SHA-256."""
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unseal(data: bytes) -> Any:
    """The JSON value of sealed bytes. Raises BlobDamaged."""
    return orjson.loads(checked(data))


def checked(data: bytes) -> memoryview:
    """The JSON of sealed bytes, not decoded yet. Raises BlobDamaged."""
    body = memoryview(data)[_HEADER:]
    if data[:_HEADER] != _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n":
        raise BlobDamaged("the stored digest does not match")
    return body


class Writer:
    """Takes a stream in chunks; errors of the store are kept apart from errors of its user."""

    def __init__(self, stream: "obstore.AsyncWritableFile") -> None:
        self._stream = stream

    async def write(self, data: bytes) -> None:
        """Add to the stream; returns when there is room for more. Raises Transient."""
        async with _translated():
            await self._stream.write(data)


class Blobs:
    """One store; every method may raise Transient("store_unavailable") or Transient("store_full")."""

    def __init__(self, store: LocalStore | S3Store, root: Path | None) -> None:
        self._store = store
        self._root = root

    @classmethod
    def open(cls, url: str) -> "Blobs":
        """The store at `file://FOLDER` (relative folders allowed) or `s3://BUCKET[/PREFIX]`."""
        parts = urlsplit(url)
        if parts.scheme == "file":
            root = Path(parts.netloc + parts.path).absolute()
            root.mkdir(parents=True, exist_ok=True)
            return cls(LocalStore(root, automatic_cleanup=True), root)  # no empty folder is left of what was deleted
        if parts.scheme == "s3":
            plain = _endpoint().startswith("http://")  # only where the operator configured it so
            prefix = parts.path.strip("/") or None
            return cls(S3Store(parts.netloc, prefix=prefix, client_options={"allow_http": plain}), None)
        raise SystemExit(f"PAGESTREAM_STORE={url!r} is not allowed: use file://FOLDER or s3://BUCKET[/PREFIX]")

    async def put(self, name: str, data: bytes) -> None:
        """Write a small blob once; the same name again with a sound blob in place changes nothing.

        Nothing is left of one that could not be written.
        """
        try:
            async with _translated():
                try:
                    await obstore.put_async(self._store, name, data, mode="create")
                except AlreadyExistsError:
                    if await self.get(name) == data:
                        return
                    await obstore.put_async(self._store, name, data)
        except Transient:
            self._tidy(name)
            raise
        await self._sync(name)

    async def put_all(self, blobs: Mapping[str, bytes]) -> None:
        """As `put` for several; where one cannot be written, others may be."""
        await asyncio.gather(*(self.put(name, data) for name, data in blobs.items()))

    async def get(self, name: str) -> bytes:
        """All bytes of a blob. Raises BlobMissing."""
        async with _translated():
            found = await obstore.get_async(self._store, name)
            return bytes(await found.bytes_async())

    async def put_result(self, name: str, value: Any) -> None:
        """Write a JSON value with its digest."""
        await self.put(name, seal(value))

    async def get_result(self, name: str) -> Any:
        """Read a JSON value and check its digest. Raises BlobMissing, BlobDamaged."""
        return unseal(await self.get(name))

    async def get_checked(self, name: str) -> memoryview:
        """As `get_result`, not decoded; the digest of a large one is taken in a thread, which holds no lock for it."""
        data = await self.get(name)
        return await asyncio.to_thread(checked, data) if len(data) > _LARGE else checked(data)

    async def get_results(self, names: Sequence[str]) -> list[Any]:
        """As `get_result` for many; None for each that is missing or damaged.

        A read in a thread costs a sixth of one that the event loop waits for.
        """
        places = min(_READERS, len(names))
        async with _translated():
            parts = await asyncio.gather(*(asyncio.to_thread(self._results, names[n::places]) for n in range(places)))
        found = [None] * len(names)
        for n, part in enumerate(parts):
            found[n::places] = part
        return found

    def _results(self, names: Sequence[str]) -> list[Any]:
        found = []
        for name in names:
            try:
                found.append(unseal(bytes(obstore.get(self._store, name).bytes())))
            except (FileNotFoundError, BlobDamaged):
                found.append(None)
        return found

    async def exists(self, name: str) -> bool:
        """Whether there is a blob of this name."""
        try:
            async with _translated():
                await obstore.head_async(self._store, name)
        except BlobMissing:
            return False
        return True

    @asynccontextmanager
    async def writing(self, name: str) -> AsyncIterator["Writer"]:
        """A writer for a stream of unknown length in constant memory; nothing is left when the body raises."""
        stream = obstore.open_writer_async(self._store, name, buffer_size=_PART, max_concurrency=2)
        try:
            try:
                yield Writer(stream)
            finally:  # in any case: the library has no other way to let go of what was begun
                async with _translated():
                    await stream.close()
        except BaseException:
            await asyncio.shield(self._forget(name))
            raise
        await self._sync(name)

    async def reading(self, name: str, chunk: int = 256 * 1024) -> AsyncGenerator[bytes, None]:
        """The bytes of a blob as a stream. Raises BlobMissing."""
        async with _translated():
            found = await obstore.get_async(self._store, name)
            async for part in found.stream(min_chunk_size=chunk):
                yield bytes(part)

    async def local(self, name: str, into: Path) -> Path:
        """A file with the blob's bytes: the store's own where it is a folder, else a copy `into`. Never write to it.

        Raises BlobMissing, Transient("temporary_full").
        """
        if self._root:
            path = self._root / name
            if not path.is_file():
                raise BlobMissing(name)
            return path
        with into.open("wb") as file:
            async for part in self.reading(name):
                try:
                    file.write(part)
                except OSError as error:
                    raise no_space_here(error) or error from error
        return into

    async def delete(self, name: str) -> None:
        """Remove a blob; one that is not there is removed already."""
        try:
            async with _translated():
                await obstore.delete_async(self._store, name)
        except BlobMissing:
            pass

    async def delete_document(self, tenant: str, document_id: str) -> None:
        """Remove every blob of a document, and what a killed writer left of one."""
        if self._root:
            with suppress(FileNotFoundError):
                await asyncio.to_thread(shutil.rmtree, self._root / tenant / document_id)
            return
        async with _translated():  # the store takes a thousand names in one request
            async for page in obstore.list(self._store, prefix=f"{tenant}/{document_id}"):
                await obstore.delete_async(self._store, [entry["path"] for entry in page])

    async def delete_parts(self, tenant: str, document_id: str) -> None:
        """Remove every part of a resumable upload, and what a killed writer left of one."""
        async for name in self.names(f"{tenant}/{document_id}/"):
            if name.startswith(f"{tenant}/{document_id}/{PART_PREFIX}"):
                await self.delete(name)
        if self._root:
            for left in (self._root / tenant / document_id).glob(f"{PART_PREFIX}*#*"):
                left.unlink(missing_ok=True)

    async def documents(self) -> AsyncIterator[tuple[str, str]]:
        """(tenant, document_id) of every document that anything is stored of, however many there are."""
        async with _translated():
            if self._root:
                folders = _folders(self._root)
                while page := await asyncio.to_thread(lambda: list(islice(folders, _PAGE))):
                    for found in page:
                        yield found
                return
            before = None
            async for entries in obstore.list(self._store, chunk_size=_PAGE):  # in order: a document's stand together
                for entry in entries:
                    tenant, *names = entry["path"].split("/", 2)
                    if len(names) == 2 and tenant != SNAPSHOTS and (tenant, names[0]) != before:
                        before = (tenant, names[0])
                        yield before

    async def last_written(self, tenant: str, document_id: str) -> datetime | None:
        """When the newest blob of a document was written, unfinished ones included; None where there is none."""
        if self._root:
            return await asyncio.to_thread(_newest, self._root / tenant / document_id)
        written = None
        async with _translated():
            async for page in obstore.list(self._store, prefix=f"{tenant}/{document_id}"):
                written = max([entry["last_modified"] for entry in page] + ([written] if written else []))
        return written

    async def names(self, prefix: str) -> AsyncIterator[str]:
        """The names below a prefix."""
        async with _translated():
            async for page in obstore.list(self._store, prefix=prefix.rstrip("/")):
                for entry in page:
                    yield entry["path"]

    async def check(self) -> None:
        """Raise Transient when the store cannot be written to."""
        async with _translated():
            await obstore.put_async(self._store, _HEALTH, b"written")

    async def _forget(self, name: str) -> None:
        """Remove what a broken-off stream left: the blob, or only the folders that were made for it."""
        await self.delete(name)
        self._tidy(name)

    def _tidy(self, name: str) -> None:
        """Remove the folders that were made for a blob which is not there."""
        if self._root:
            with suppress(OSError):  # one is not empty, or gone already
                for folder in (self._root / name).parents:
                    if folder == self._root:
                        return
                    folder.rmdir()

    async def _sync(self, name: str) -> None:
        if self._root:
            await asyncio.to_thread(_sync_file, self._root / name)


def _sync_file(path: Path) -> None:
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _folders(root: Path) -> Iterator[tuple[str, str]]:
    """The names of each folder in a folder of `root`; those that come or go meanwhile may be among them."""
    with os.scandir(root) as tenants:
        for tenant in tenants:
            if tenant.is_dir() and tenant.name != SNAPSHOTS:
                with suppress(FileNotFoundError), os.scandir(tenant) as documents:
                    for document in documents:
                        if document.is_dir():
                            yield tenant.name, document.name


def _newest(folder: Path) -> datetime | None:
    """When anything in `folder` was last written. The library does not list what it has not finished; we do."""
    moments = [path.stat().st_mtime for path in (folder, *folder.rglob("*")) if path.exists()]
    return datetime.fromtimestamp(max(moments), UTC) if moments else None


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", ""))


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except FileNotFoundError as error:  # the library's NotFoundError is one
        raise BlobMissing(str(error)) from error
    except (OSError, BaseError) as error:
        if _is_no_space(error) or "No space left" in str(error):
            raise Transient("store_full") from error
        raise Transient("store_unavailable", detail=type(error).__name__) from error


def no_space_here(error: BaseException) -> Transient | None:
    """What a write to the folder for temporary files fails with when it is full; None for any other failure."""
    return Transient("temporary_full") if _is_no_space(error) else None


def _is_no_space(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT)
