"""What a file is, told from its first bytes alone: a name and a declared type can lie.

The gateway asks with the first few kilobytes, to spare people the wait for an answer that is certain; the OCR stage
asks with more of them and then looks into containers. Both refuse the same things in the same words.
"""

import codecs
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.errors import Rejected

ALLOWED: Final = (
    "PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, HEIC, Word (docx), Excel (xlsx, xls), PowerPoint (pptx), "
    "OpenDocument (odt, ods, odp), RTF, HTML, e-mail (eml), plain text, Markdown"
)


class Kind(StrEnum):
    """The kinds that are read, and two families that only a look inside tells apart."""

    PDF = "pdf"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"
    WEBP = "webp"
    BMP = "bmp"
    GIF = "gif"
    HEIC = "heic"
    TEXT = "text"
    HTML = "html"
    MAIL = "mail"
    RTF = "rtf"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"
    ODT = "odt"
    ODS = "ods"
    ODP = "odp"
    XLS = "xls"
    ZIPPED = "zipped"  # some Office or OpenDocument file
    OLE = "ole"  # an Office file of before 2007, or one under a password


_OPEN_XML: Final = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument"

MEDIA_TYPES: Final[Mapping[Kind, str]] = {
    Kind.PDF: "application/pdf",
    Kind.PNG: "image/png",
    Kind.JPEG: "image/jpeg",
    Kind.TIFF: "image/tiff",
    Kind.WEBP: "image/webp",
    Kind.BMP: "image/bmp",
    Kind.GIF: "image/gif",
    Kind.HEIC: "image/heic",
    Kind.TEXT: "text/plain",
    Kind.HTML: "text/html",
    Kind.MAIL: "message/rfc822",
    Kind.RTF: "application/rtf",
    Kind.DOCX: f"{_OPEN_XML}.wordprocessingml.document",
    Kind.XLSX: f"{_OPEN_XML}.spreadsheetml.sheet",
    Kind.PPTX: f"{_OPEN_XML}.presentationml.presentation",
    Kind.ODT: f"{_OPEN_DOCUMENT}.text",
    Kind.ODS: f"{_OPEN_DOCUMENT}.spreadsheet",
    Kind.ODP: f"{_OPEN_DOCUMENT}.presentation",
    Kind.XLS: "application/vnd.ms-excel",
    Kind.ZIPPED: _OPEN_XML,
    Kind.OLE: "application/x-ole-storage",
}

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),  # BigTIFF
    (b"MM\0+", Kind.TIFF),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
    (b"{\\rtf", Kind.RTF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind.OLE),
)
# Recognised only to be refused by name.
_REFUSED: Final = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xfe\xed\xfa", "a macOS program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
    (b"\0asm", "a WebAssembly program"),
    (b"#!", "a script"),
    (b"%!PS", "a PostScript document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"ID3", "a sound recording"),
    (b"OggS", "a sound recording"),
    (b"fLaC", "a sound recording"),
    (b"\x1aE\xdf\xa3", "a film"),
)
# Members of a ZIP container, as its first bytes show them, the most telling first: a kind, or what it is refused as.
_MEMBERS: Final[tuple[tuple[bytes, Kind | str], ...]] = (
    (f"mimetype{_OPEN_DOCUMENT}.text".encode(), Kind.ODT),
    (f"mimetype{_OPEN_DOCUMENT}.spreadsheet".encode(), Kind.ODS),
    (f"mimetype{_OPEN_DOCUMENT}.presentation".encode(), Kind.ODP),
    (f"mimetype{_OPEN_DOCUMENT}".encode(), "an OpenDocument drawing or formula"),
    (b"mimetypeapplication/epub+zip", "an EPUB book"),
    (b"word/", Kind.DOCX),
    (b"xl/", Kind.XLSX),
    (b"ppt/", Kind.PPTX),
    (b"[Content_Types].xml", Kind.ZIPPED),
    (b"_rels/.rels", Kind.ZIPPED),
    (b"docProps/", Kind.ZIPPED),
    (b"META-INF/manifest.xml", Kind.ZIPPED),
    (b"content.xml", Kind.ZIPPED),
)
_HEIF: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
# Possessive throughout: a run of comments has one way to match, so a head that is no page is refused in one pass.
_HTML: Final = re.compile(
    r"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:[^-]|-(?!->))*+-->\s*+)*+<(?:!doctype\s++html|html|head|body)\b",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(r"([!-9;-~]+):")
_MAIL_HEADERS: Final = frozenset(
    ("from", "to", "subject", "date", "received", "return-path", "delivered-to", "mime-version", "message-id")
)
_MANY_HEADERS: Final = 3  # a letter may well begin with "From:"


def sniff(head: bytes) -> Kind:
    """The kind of the file that begins with `head`; 4 KiB tell nearly everything, 64 KiB all that a head can.

    Raises Rejected: empty_file, or unsupported_type with what was found.
    """
    if not head:
        raise Rejected("empty_file")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if b"%PDF-" in head[:1024]:  # where readers look for it (PDF 32000-1, annex H.3)
        return Kind.PDF
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":  # the reserved field tells it from a text that begins with BM
        return Kind.BMP
    if head.startswith(b"RIFF"):
        return _riff(head)
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    for magic, name in _REFUSED:
        if head.startswith(magic):
            raise unsupported(name)
    return _text(head)


def unsupported(found: str) -> Rejected:
    """The refusal of `found`, a noun with its article."""
    return Rejected("unsupported_type", found=found, allowed=ALLOWED)


def _riff(head: bytes) -> Kind:
    if head[8:12] == b"WEBP":
        return Kind.WEBP
    raise unsupported("a sound recording or film")


def _iso_media(head: bytes) -> Kind:
    """HEIC among the many files of ISO/IEC 14496-12, told by the brands in its first box."""
    size = min(int.from_bytes(head[:4]), 256)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size, 4))]
    if any(brand in _HEIF for brand in brands):
        return Kind.HEIC
    raise unsupported("an AVIF picture" if b"avif" in brands else "a film")


def _zip(head: bytes) -> Kind:
    found = next((found for member, found in _MEMBERS if member in head), "a ZIP archive")
    if isinstance(found, Kind):
        return found
    raise unsupported(found)


def _text(head: bytes) -> Kind:
    encoding = encoding_of(head)
    text = codecs.getincrementaldecoder(encoding or "latin-1")("replace").decode(head)
    if _HTML.match(text):  # which may declare an encoding that is not guessed here
        return Kind.HTML
    if encoding is None:
        raise unsupported("a file of an unknown kind")
    return Kind.MAIL if _is_mail(text) else Kind.TEXT


def _is_mail(text: str) -> bool:
    """Whether a text begins with a block of mail headers (RFC 5322), many of them known."""
    lines = text.lstrip().replace("\r", "").split("\n")
    if lines[0].startswith("From "):  # the line that parts the mails of an mbox
        del lines[0]
    block = lines[: lines.index("")] if "" in lines else lines[:-1]  # a last line may be cut
    names = [_HEADER.match(line) for line in block if not line.startswith((" ", "\t"))]
    known = {match[1].lower() for match in names if match} & _MAIL_HEADERS
    return None not in names and len(known) >= _MANY_HEADERS


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
