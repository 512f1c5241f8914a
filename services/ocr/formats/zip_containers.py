"""ZIP containers of Office and OpenDocument: distinguished by their members, and copied before a parser sees them.

The copy holds the XML members alone, each counted while it is unpacked. So a bomb is found by its size and not by what
its header says; macros, pictures and embedded programs never reach the parser; and a file whose other members are
damaged is still read.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from shared.errors import Rejected
from shared.media_types import Kind, unsupported

_CHUNK: Final = 1024 * 1024
# A member that only this kind has, and that it cannot do without.
_TELLING: Final = (
    ("word/document.xml", Kind.DOCX),
    ("xl/workbook.xml", Kind.XLSX),
    ("ppt/presentation.xml", Kind.PPTX),
)
_REFUSED: Final = (
    ("xl/workbook.bin", "a binary Excel workbook (xlsb)"),
    ("visio/document.xml", "a Visio drawing"),
)
_OPEN_DOCUMENTS: Final = (
    (b"application/vnd.oasis.opendocument.text", Kind.ODT),
    (b"application/vnd.oasis.opendocument.spreadsheet", Kind.ODS),
    (b"application/vnd.oasis.opendocument.presentation", Kind.ODP),
)
_MANIFEST: Final = "META-INF/manifest.xml"
_ENCRYPTED_FLAG: Final = 1  # of a member's general purpose bits (APPNOTE 4.4.4)
_MANIFEST_BYTES: Final = 1024 * 1024  # of what is looked at only to tell the kind
# XML of documents declares no entities; those who do mean to multiply them or to read other files.
_ENTITY: Final = tuple("<!ENTITY".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError)


def kind_of(path: Path) -> Kind:
    """What the ZIP file at `path` is. Raises Rejected: unsupported_type, encrypted, corrupt_document."""
    with _opened(path) as archive:
        names = set(archive.namelist())
        if any(member.flag_bits & _ENCRYPTED_FLAG for member in archive.infolist()):
            raise Rejected("encrypted")
        for name, kind in _TELLING:
            if name in names:
                return kind
        if "content.xml" in names:
            return _open_document(archive)
    found = next((what for name, what in _REFUSED if name in names), "a ZIP archive")
    raise unsupported(found)


def copied(path: Path, limit: int, check: Callable[[bytes], None] = lambda content: None) -> bytes:
    """A ZIP file of the XML members of the one at `path`, at most `limit` bytes of them, each found good by `check`.

    Raises Rejected: too_large, corrupt_document, and what `check` does.
    """
    left = limit
    copy = io.BytesIO()
    with _opened(path) as archive, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as clean:
        for member in archive.infolist():
            if not member.filename.endswith((".xml", ".rels")) and member.filename != "mimetype":
                continue
            with suppress(*_DAMAGE):  # without a member that it needs, the parser refuses the document
                content = _unpacked(archive, member, left, limit)
                left -= len(content)
                check(content)
                clean.writestr(member.filename, content)
    return copy.getvalue()


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int, limit: int) -> bytes:
    parts: list[bytes] = []
    with archive.open(member) as stream:
        while part := stream.read(_CHUNK):
            left -= len(part)
            if left < 0:
                raise Rejected(
                    "too_large",
                    what="The unpacked document",
                    got=f"more than {limit} bytes",
                    limit=f"{limit} bytes",
                    setting="PAGESTREAM_OCR_MAX_UNPACKED_BYTES",
                )
            parts.append(part)
    content = b"".join(parts)
    if any(entity in content for entity in _ENTITY):
        raise Rejected("corrupt_document", detail="one of its parts declares XML entities")
    return content


def _open_document(archive: zipfile.ZipFile) -> Kind:
    """By its `mimetype`, or by its manifest where that is damaged."""
    manifest = _start(archive, _MANIFEST)
    if b"encryption-data" in manifest:
        raise Rejected("encrypted")
    said = _start(archive, "mimetype") + manifest
    for media_type, kind in _OPEN_DOCUMENTS:
        if media_type in said:
            return kind
    raise unsupported("an OpenDocument drawing or formula")


def _start(archive: zipfile.ZipFile, name: str) -> bytes:
    with suppress(KeyError, *_DAMAGE), archive.open(name) as stream:
        return stream.read(_MANIFEST_BYTES)
    return b""


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise Rejected("corrupt_document", detail="its ZIP container cannot be read") from error
    with archive:
        yield archive
