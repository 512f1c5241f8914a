"""Stored results on their way to readers, without being taken apart: parts of their JSON are passed on as they stand.

A result may have tens of megabytes. Its digest is checked in a thread, which needs no lock, and only the outermost
structure is read on the event loop; whatever else costs time there would hold up everybody.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from shared.blobs import BlobDamaged, Blobs

T = TypeVar("T")


class Text(Struct):
    """The result of the stage `ocr`, its parts still encoded."""

    text: Raw
    pages: Raw


class Findings(Struct):
    """The part of an extraction that grows with the document, still encoded."""

    findings: Raw


class _Pages(Struct):
    pages: list[Raw]


class _Numbered(Struct):
    page: int


async def text(blobs: Blobs, name: str) -> Text:
    """The parts of a document's text. Raises BlobMissing, BlobDamaged."""
    return _decoded(await blobs.get_checked(name), Text)


async def plain_text(blobs: Blobs, name: str) -> str:
    """A document's text alone. Raises BlobMissing, BlobDamaged."""
    return _decoded((await text(blobs, name)).text, str)


async def page(blobs: Blobs, name: str, first: int, number: int) -> Raw | None:
    """Page `number` of the slice that begins with page `first`; None where the slice lacks it.

    Raises BlobMissing, BlobDamaged.
    """
    pages = _decoded(await blobs.get_checked(name), _Pages).pages
    likely = pages[number - first : number - first + 1]
    return next((one for one in [*likely, *pages] if _decoded(one, _Numbered).page == number), None)


async def findings(blobs: Blobs, name: str) -> Raw:
    """The findings of an extraction. Raises BlobMissing, BlobDamaged."""
    return _decoded(await blobs.get_checked(name), Findings).findings


def joined(**parts: Any) -> bytes:
    """A JSON object of `parts`, each a value or JSON already."""
    return msgspec.json.encode(parts)


def _decoded(data: memoryview | Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise BlobDamaged(f"the stored result has another shape: {type(error).__name__}") from error
