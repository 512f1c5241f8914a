"""Stored results on their way to readers, without being taken apart: parts of their JSON are passed on as they stand.

A result may have tens of megabytes. Its digest is checked in a thread, which needs no lock, and only the outermost
structure is read on the event loop; whatever else costs time there would hold up everybody.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from shared.storage.blobs import BlobDamaged, Blobs

T = TypeVar("T")

_BLOCK: Final = 512 * 1024  # bytes of JSON that are decoded before others get a turn: some 2 ms
_LONGEST_ESCAPE: Final = 12  # bytes: two halves of a character, six each
_SEARCHED: Final = 4096  # bytes in which a place without escapes mostly is
# Whole characters and escapes (RFC 8259, section 7), both halves of a pair together.
_CHARACTERS: Final = re.compile(
    rb"(?:[^\\\x80-\xff]|[\xc2-\xdf].|[\xe0-\xef]..|[\xf0-\xf4]..."
    rb"|\\[^u]|\\u(?![dD][89abAB])....|\\u[dD][89abAB]..\\u....)*+",
    re.DOTALL,
)


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


async def plain_text(blobs: Blobs, name: str) -> AsyncIterator[bytes]:
    """A document's text alone in UTF-8, a block at a time. Raises BlobMissing, BlobDamaged, before the first block."""
    said = bytes((await text(blobs, name)).text)
    if said[:1] != b'"':
        raise BlobDamaged("the stored text is none")
    return _blocks(said)


async def _blocks(said: bytes) -> AsyncIterator[bytes]:
    """The text of a JSON string."""
    at, end = 1, len(said) - 1
    while at < end:
        cut = end if end - at <= _BLOCK else _seam(said, at, at + _BLOCK)
        yield msgspec.json.decode(b'"' + said[at:cut] + b'"', type=str).encode()
        at = cut
        await asyncio.sleep(0)


def _seam(said: bytes, at: int, end: int) -> int:
    """Where a block that begins at `at` may end: at `end` or before, and not within a character or an escape."""
    for cut in range(end, max(at, end - _SEARCHED), -1):
        if said[cut] & 0xC0 != 0x80 and b"\\" not in said[max(at, cut - _LONGEST_ESCAPE) : cut]:
            return cut
    whole = _CHARACTERS.match(said, at, end)
    return whole.end() if whole and whole.end() > at else len(said) - 1


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
