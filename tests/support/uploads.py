"""Uploads as the tests send them, and what the store has of them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

PDF = b"%PDF-1.7 "


def stored(folder: Path) -> set[str]:
    """Every file and folder of the store, but for its health mark and the folders of tenants, which stay."""
    root = folder / "blobs"
    return {path.relative_to(root).as_posix() for path in root.glob("*/**/*")}


def new_pdf() -> bytes:
    return PDF + uuid.uuid4().bytes.hex().encode()


async def upload(http: httpx.AsyncClient, data: bytes, **query: Any) -> httpx.Response:
    return await http.post("/v1/documents", content=data, params={"filename": "lease.pdf", **query})


class HeldUpload:
    """An upload that the gateway waits for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._data = data

    async def go_on(self) -> int:
        """Send what is missing; the status of the answer."""
        self._writer.write(self._data)
        return int((await self._reader.readline()).split()[1])


@asynccontextmanager
async def held(url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[HeldUpload]:
    """An upload to the gateway at `url`, which has said that it reads: it counts from here on."""
    address, data = urlsplit(url), new_pdf()
    about = {"Host": address.netloc, "Expect": "100-continue", "Content-Length": str(len(data)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in about.items())
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"POST /v1/documents HTTP/1.1\r\n{head}\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        yield HeldUpload(reader, writer, data)
    finally:
        writer.close()
        await writer.wait_closed()
