import pytest

from services.ocr.sniffing import Kind, encoding_of, sniff
from shared.errors import Rejected


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
    ],
)
def test_a_kind_is_told_by_content(head: bytes, kind: Kind) -> None:
    assert sniff(head) is kind


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"MZ\x90\0", "a Windows program"),
        (b"\x7fELF\2", "a Linux program"),
        (b"PK\x03\x04....word/document.xml", "a Word document"),
        (b"PK\x03\x04....readme.md", "a ZIP archive"),
        (b"\n<!DOCTYPE html><p>", "an HTML page"),
        (b"From: a@b.c\r\nSubject: x\r\nMIME-Version: 1.0\r\n\r\n", "an e-mail"),
        (b"\0\0\0\x18ftypheic", "a HEIC photo"),
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
