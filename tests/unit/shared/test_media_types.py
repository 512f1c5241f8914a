import pytest

from shared.errors import Rejected
from shared.media_types import MEDIA_TYPES, Kind, encoding_of, sniff


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", Kind.PDF),
        (b"\0" * 900 + b"%PDF-1.4", Kind.PDF),
        (b"\x89PNG\r\n\x1a\n", Kind.PNG),
        (b"\xff\xd8\xff\xe0", Kind.JPEG),
        (b"II*\0", Kind.TIFF),
        (b"MM\0+", Kind.TIFF),
        (b"RIFF\x10\0\0\0WEBPVP8 ", Kind.WEBP),
        (b"BM\x36\0\0\0\0\0\0\0", Kind.BMP),
        (b"GIF89a", Kind.GIF),
        (b"BMW is a maker of cars", Kind.TEXT),
        ("Größe: 日本".encode(), Kind.TEXT),
        (b"Gr\xf6\xdfe 1.204,50", Kind.TEXT),
        ("minutes".encode("utf-16"), Kind.TEXT),
        (b"From: the office\nYours, B.", Kind.TEXT),
        (b"To: all\nFrom: me\nDear colleagues,\nSubject: x\nDate: y\n\n", Kind.TEXT),
        (b"# Minutes\n\n* one", Kind.TEXT),
        (b"Received: by x\r\n\tfor y\r\nDKIM-Signature: v=1\r\nDate: z\r\nFrom: a@b.c\r\n\r\nHello", Kind.MAIL),
        (b"From a@b.c Mon Jan 1\nFrom: a@b.c\nTo: d@e.f\nSubject: x\n\n", Kind.MAIL),
        (b"\n<!DOCTYPE html><p>", Kind.HTML),
        (b"<!-- saved -->\n<HTML lang=en>", Kind.HTML),
        (b"<?xml version='1.0'?><!DOCTYPE html PUBLIC 'x'>", Kind.HTML),
        ("<html>Größe".encode("utf-16"), Kind.HTML),
        ("<html><p>Привет, это страница".encode("cp1251"), Kind.HTML),
        (b"<p>is not the beginning of a page", Kind.TEXT),
        (b"{\\rtf1\\ansi", Kind.RTF),
        (b"PK\x03\x04" + b"." * 26 + b"[Content_Types].xml....word/document.xml", Kind.DOCX),
        (b"PK\x03\x04" + b"." * 26 + b"[Content_Types].xml....", Kind.ZIPPED),
        (b"PK\x03\x04" + b"." * 26 + b"mimetypeapplication/vnd.oasis.opendocument.textPK", Kind.ODT),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", Kind.OLE),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Kind.HEIC),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Kind.HEIC),
    ],
)
def test_a_kind_is_told_by_content(head: bytes, kind: Kind) -> None:
    assert sniff(head) is kind


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"MZ\x90\0", "a Windows program"),
        (b"\x7fELF\2", "a Linux program"),
        (b"PK\x03\x04....readme.md", "a ZIP archive"),
        (b"PK\x03\x04....mimetypeapplication/epub+zip", "an EPUB book"),
        (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.graphicsPK", "an OpenDocument drawing or formula"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "an AVIF picture"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a film"),
        (b"%!PS-Adobe", "a PostScript document"),
        (bytes(range(256)) * 4, "a file of an unknown kind"),
    ],
)
def test_what_is_not_read_is_refused_by_name(head: bytes, found: str) -> None:
    with pytest.raises(Rejected) as refused:
        sniff(head)
    assert (refused.value.code, refused.value.facts["found"]) == ("unsupported_type", found)
    assert "PDF" in refused.value.facts["allowed"]


def test_nothing_at_all_is_an_empty_file() -> None:
    with pytest.raises(Rejected) as refused:
        sniff(b"")
    assert refused.value.code == "empty_file"


def test_text_cut_within_a_character_keeps_its_encoding() -> None:
    assert encoding_of("日本語".encode()[:-1]) == "utf-8"
    assert encoding_of("日本語".encode("utf-16")[:-1]) == "utf-16"


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    assert encoding_of("\ufeffminutes".encode()) == "utf-8-sig"


def test_mostly_high_bytes_are_no_text() -> None:
    assert encoding_of(bytes(range(0x80, 0x100)) * 3) is None


def test_every_kind_has_a_media_type_of_its_own() -> None:
    assert len(set(MEDIA_TYPES.values())) == len(MEDIA_TYPES) == len(Kind)
