"""A blob store in memory with the calls of `obstore` that the project uses, as one that stands elsewhere (S3).

A write takes effect when it is sent or when its answer arrives. The store may be full, may be away, and may lose or
damage what it holds.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from errno import ENOSPC
from types import SimpleNamespace
from typing import Any

from obstore.exceptions import AlreadyExistsError, GenericError

from tests.simulation.scheduler import EPOCH, loop


@dataclass
class Bucket:
    """What is stored, by name."""

    blobs: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    full_until: float = 0.0
    away_until: float = 0.0
    unavailable: float = 0.0  # the share of calls that fail

    def put(self, name: str, data: bytes) -> None:
        self.blobs[name] = (bytes(data), loop().now)

    def get(self, name: str) -> bytes:
        if name not in self.blobs:
            raise FileNotFoundError(name)
        return self.blobs[name][0]

    def below(self, prefix: str | None) -> Iterator[str]:
        """The names below a prefix, which ends at a slash."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        return (name for name in sorted(self.blobs) if name.startswith(start))

    async def call(self) -> None:
        """Before every call. Raises obstore's errors."""
        world = loop()
        await world.world.faults.called()
        away = self.away_until > world.now or (self.unavailable and world.random.random() < self.unavailable)
        await asyncio.sleep(0.0005 + 0.003 * world.random.random())
        if away:
            raise GenericError("503 Slow Down")

    def check_space(self) -> None:
        if self.full_until > loop().now:
            raise OSError(ENOSPC, "No space left on device")


class S3Store:
    """In place of `obstore.store.S3Store`."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.bucket: Bucket = loop().world.bucket


async def put_async(store: S3Store, name: str, data: bytes, *, mode: str = "overwrite") -> None:
    bucket = store.bucket
    early = loop().random.random() < 0.5
    if early:
        _put(bucket, name, data, mode)
    await bucket.call()
    if not early:
        _put(bucket, name, data, mode)


def _put(bucket: Bucket, name: str, data: bytes, mode: str) -> None:
    bucket.check_space()
    if mode == "create" and name in bucket.blobs:
        raise AlreadyExistsError(name)
    bucket.put(name, data)


async def get_async(store: S3Store, name: str) -> Any:
    await store.bucket.call()
    data = store.bucket.get(name)

    async def whole() -> bytes:
        return data

    async def stream() -> AsyncIterator[bytes]:
        yield data

    return SimpleNamespace(bytes_async=whole, stream=lambda **_: stream())


def get(store: S3Store, name: str) -> Any:
    data = store.bucket.get(name)
    return SimpleNamespace(bytes=lambda: data)


async def head_async(store: S3Store, name: str) -> None:
    await store.bucket.call()
    store.bucket.get(name)


async def delete_async(store: S3Store, paths: str | Sequence[str]) -> None:
    await store.bucket.call()
    for name in [paths] if isinstance(paths, str) else paths:
        store.bucket.blobs.pop(name, None)


async def list_with_delimiter_async(store: S3Store, prefix: str | None = None) -> dict[str, list[str]]:
    await store.bucket.call()
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    found = {name[len(start) :].partition("/")[0] for name in store.bucket.below(prefix) if "/" in name[len(start) :]}
    return {"common_prefixes": [start + folder for folder in sorted(found)]}


def list(store: S3Store, prefix: str | None = None, *, chunk_size: int = 50) -> AsyncIterator[Any]:
    async def pages() -> AsyncIterator[Any]:
        await store.bucket.call()
        names = [*store.bucket.below(prefix)]
        for at in range(0, len(names), chunk_size):
            yield [{"path": n, "last_modified": _moment(store.bucket.blobs[n][1])} for n in names[at : at + chunk_size]]

    return pages()


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(EPOCH + at, UTC)


class _Writer:
    """A stream: what was written is there once it is closed."""

    def __init__(self, store: S3Store, name: str) -> None:
        self._bucket = store.bucket
        self._name = name
        self._parts: Any = []

    async def write(self, data: bytes) -> None:
        await self._bucket.call()
        self._bucket.check_space()
        self._parts.append(bytes(data))

    async def close(self) -> None:
        await self._bucket.call()
        self._bucket.check_space()
        self._bucket.put(self._name, b"".join(self._parts))


def open_writer_async(store: S3Store, name: str, **_: Any) -> _Writer:
    return _Writer(store, name)
