"""What an upload is, told from its first bytes: a media type, or the name of what is certainly no document.

Deliberately shallow. The OCR stage looks closer; this only spares people the wait for an answer that is certain.
"""

from typing import Final

from shared.errors import Rejected

HEAD: Final = 4096  # bytes that `sniff` wants to see
_ALLOWED: Final = "PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, Office documents, HTML, e-mail, plain text"

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),
    (b"MM\0+", "image/tiff"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"{\\rtf", "application/rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_ZIPPED: Final = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.spreadsheet"),
    (b"[Content_Types].xml", "application/vnd.openxmlformats-officedocument"),
)
_REFUSED: Final = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xfe\xed\xfa", "a macOS program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
    (b"\0asm", "a WebAssembly program"),
    (b"#!", "a script"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"ID3", "a sound recording"),
    (b"OggS", "a sound recording"),
    (b"fLaC", "a sound recording"),
    (b"\x1aE\xdf\xa3", "a film"),
)
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_MAIL: Final = (
    b"from:",
    b"received:",
    b"return-path:",
    b"mime-version:",
    b"message-id:",
    b"delivered-to:",
    b"subject:",
)


def sniff(head: bytes) -> str:
    """The media type of the document that begins with `head` (its first HEAD bytes, or all of it).

    Raises Rejected: empty_file, or unsupported_type with what was found.
    """
    if not head:
        raise Rejected("empty_file")
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if b"%PDF-" in head[:1024]:  # where readers look for it (PDF 32000-1, annex H.3)
        return "application/pdf"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    if head.startswith(b"RIFF"):
        return _riff(head)
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    return _text(head)


def _riff(head: bytes) -> str:
    if head[8:12] == b"WEBP":
        return "image/webp"
    raise _unsupported("a sound recording or film")


def _zip(head: bytes) -> str:
    for part, media_type in _ZIPPED:
        if part in head:
            return media_type
    raise _unsupported("a ZIP archive")


def _text(head: bytes) -> str:
    for magic, name in _REFUSED:
        if head.startswith(magic):
            raise _unsupported(name)
    if head[4:8] == b"ftyp":
        raise _unsupported("a HEIC photo" if head[8:12] in (b"heic", b"heix", b"mif1", b"avif") else "a film")
    if b"\0" in head and not head.startswith(_UTF16):
        raise _unsupported("a file of an unknown kind")
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "text/html"
    if start.startswith(_MAIL) and sum(line.startswith(_MAIL) for line in head.lower().splitlines()) >= 3:
        return "message/rfc822"
    return "text/plain"


def _unsupported(found: str) -> Rejected:
    return Rejected("unsupported_type", found=found, allowed=_ALLOWED)
