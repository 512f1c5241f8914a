"""Uploads as the tests send them, and what the store has of them."""

import uuid
from pathlib import Path
from typing import Any

import httpx

PDF = b"%PDF-1.7 "


def stored(folder: Path) -> set[str]:
    """Every file and folder of the store, but for its health mark."""
    root = folder / "blobs"
    return {path.relative_to(root).as_posix() for path in root.rglob("*")} - {".health"}


def new_pdf() -> bytes:
    return PDF + uuid.uuid4().bytes.hex().encode()


async def upload(http: httpx.AsyncClient, data: bytes, **query: Any) -> httpx.Response:
    return await http.post("/v1/documents", content=data, params={"filename": "lease.pdf", **query})
