"""What an upload is called and what it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.uploads import filenames, ingest
from shared.errors import Rejected


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("lease.pdf", "lease.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\lease.pdf", "lease.pdf"),
        ("Mietvertrag für Köln.pdf", "Mietvertrag für Köln.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\0b\nc.pdf", "abc.pdf"),
        ("lone \ud800.pdf", "lone .pdf"),
        ("..", "document"),
        ("", "document"),
        (None, "document"),
        ("a/", "document"),
    ],
)
def test_a_name_keeps_what_people_read_and_loses_what_harms(given_name: str | None, kept: str) -> None:
    assert filenames.clean(given_name) == kept


def test_a_long_name_keeps_its_suffix() -> None:
    name = filenames.clean("x" * 400 + ".pdf")
    assert len(name) == filenames.MAX_CHARACTERS
    assert name.endswith("x.pdf")


@given(st.text(max_size=400))
def test_any_name_is_one_harmless_component_that_fits_a_header(name: str) -> None:
    cleaned = filenames.clean(name)
    assert 0 < len(cleaned) <= filenames.MAX_CHARACTERS
    assert not set(cleaned) & set("/\\\0\n\r")
    filenames.attachment(cleaned).encode("latin-1")


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"junk before\n%PDF-1.4", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"PK\x03\x04....word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"<!DOCTYPE html><html>", "text/html"),
        (b"From: a@b\nTo: c@d\nSubject: x\nMIME-Version: 1.0\n\n", "message/rfc822"),
        (b"Sehr geehrte Damen", "text/plain"),
        ("Sehr geehrte".encode("utf-16"), "text/plain"),
    ],
)
def test_documents_are_known_by_their_first_bytes(head: bytes, media_type: str) -> None:
    assert ingest.sniff(head) == media_type


@pytest.mark.parametrize(
    "head", [b"MZ\x90\0", b"\x7fELF\x02", b"#!/bin/sh\n", b"PK\x03\x04....data.bin", b"\0\0\0\x18ftypmp42", b"a\0b\0c"]
)
def test_what_is_certainly_no_document_is_refused_by_name(head: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        ingest.sniff(head)
    assert refused.value.code == "unsupported_type"
    assert refused.value.facts["found"]


def test_nothing_is_refused_as_empty() -> None:
    with pytest.raises(Rejected) as refused:
        ingest.sniff(b"")
    assert refused.value.code == "empty_file"
