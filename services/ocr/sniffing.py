"""What a file is, told from its bytes alone: a name and a declared type can lie."""

import codecs
from enum import StrEnum
from typing import Final

from shared.errors import Rejected

HEAD_BYTES: Final = 64 * 1024  # enough for every signature, and for a fair look at plain text
ALLOWED: Final = "PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, plain text"


class Kind(StrEnum):
    """The kinds this stage reads."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"
    WEBP = "webp"
    BMP = "bmp"
    GIF = "gif"
    TEXT = "text"


_READ: Final = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),  # BigTIFF
    (b"MM\0+", Kind.TIFF),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
)
# Recognised only to be refused by name.
_REFUSED: Final = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xfe\xed\xfa", "a macOS program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
    (b"#!", "a script"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
)
# Members of a ZIP container, as its first bytes show them.
_ZIPPED: Final = (
    (b"word/", "a Word document"),
    (b"xl/", "an Excel workbook"),
    (b"ppt/", "a PowerPoint presentation"),
    (b"application/vnd.oasis.opendocument", "an OpenDocument file"),
    (b"application/epub", "an EPUB book"),
)
_MANY_HEADERS: Final = 3  # a letter may well begin with "From:"
_MAIL_HEADERS: Final = (b"from:", b"received:", b"return-path:", b"mime-version:", b"message-id:", b"subject:")


def sniff(head: bytes) -> Kind:
    """The kind of the file that begins with `head` (its first HEAD_BYTES, or all of it).

    Raises Rejected: empty_file, or unsupported_type with what was found.
    """
    if not head:
        raise Rejected("empty_file")
    for magic, kind in _READ:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.WEBP
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":  # the reserved field tells it from a text that begins with BM
        return Kind.BMP
    if b"%PDF-" in head[:1024]:  # where readers look for it (PDF 32000-1, annex H.3)
        return Kind.PDF
    if (found := _refused(head)) is not None:
        raise Rejected("unsupported_type", found=found, allowed=ALLOWED)
    if encoding_of(head) is None:
        raise Rejected("unsupported_type", found="a file of an unknown kind", allowed=ALLOWED)
    return Kind.TEXT


def _refused(head: bytes) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        return next((name for part, name in _ZIPPED if part in head), "a ZIP archive")
    if head[4:8] == b"ftyp":
        return "a HEIC photo" if head[8:12] in (b"heic", b"heix", b"mif1") else "a film"
    for magic, name in _REFUSED:
        if head.startswith(magic):
            return name
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    mail = sum(line.startswith(_MAIL_HEADERS) for line in head[:4096].lower().splitlines())
    return "an e-mail" if start.startswith(_MAIL_HEADERS) and mail >= _MANY_HEADERS else None


def encoding_of(data: bytes) -> str | None:
    """The encoding of plain text: utf-8-sig, utf-16, utf-8 or cp1252 (which reads Latin-1); None if it is no text.

    `data` may end within a character.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16" if _decodes(data, "utf-16") else None
    controls = sum(data.count(bytes((byte,))) for byte in (*range(9), *range(14, 27), *range(28, 32), 127))
    if b"\0" in data or controls * 100 > len(data):
        return None
    if _decodes(data, "utf-8"):
        return "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    beyond_ascii = len(data) - len(data.decode("ascii", "ignore"))
    return "cp1252" if beyond_ascii * 10 <= len(data) * 3 else None


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(data, final=False)
    except UnicodeDecodeError:
        return False
    return True
