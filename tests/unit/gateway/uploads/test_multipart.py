"""The part `file` comes out whole, whatever the slices the body arrives in."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.problems import Problem
from services.gateway.uploads.multipart import FilePart, boundary_of

BOUNDARY = b"x-boundary"


def form(*parts: tuple[bytes, bytes]) -> bytes:
    body = b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY, headers, data) for headers, data in parts)
    return body + b"--" + BOUNDARY + b"--\r\n"


def file_part(data: bytes, name: bytes = b"lease.pdf") -> tuple[bytes, bytes]:
    disposition = b'Content-Disposition: form-data; name="file"; filename="%s"' % name
    return disposition + b"\r\nContent-Type: application/pdf", data


async def slices(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int = 65536) -> tuple[FilePart, bytes]:
    part = FilePart(slices(body, size), BOUNDARY)
    await part.open()
    return part, b"".join([chunk async for chunk in part.chunks()])


@given(data=st.binary(max_size=300), size=st.integers(1, 70))
async def test_the_bytes_are_the_same_for_every_way_the_body_is_cut(data: bytes, size: int) -> None:
    if b"--" + BOUNDARY in data:
        return
    part, found = await read(form(file_part(data)), size)
    assert found == data
    assert (part.filename, part.content_type) == ("lease.pdf", "application/pdf")


async def test_other_fields_before_and_after_are_skipped() -> None:
    other = (b'Content-Disposition: form-data; name="note"', b"not the file")
    _, found = await read(form(other, file_part(b"bytes"), other))
    assert found == b"bytes"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (form((b'Content-Disposition: form-data; name="note"', b"x")), "no part named"),
        (form(file_part(b"one"), file_part(b"two")), "more than one"),
        (form(file_part(b"cut off"))[:-20], "ends before"),
        (b"this is no form at all", "boundary"),
        (b"", "no part named"),
    ],
)
async def test_what_is_no_form_with_one_file_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(Problem) as refused:
        await read(body)
    assert refused.value.code == "bad_multipart"
    assert words in refused.value.sentence


def test_only_multipart_has_a_boundary() -> None:
    assert boundary_of("application/pdf") is None
    assert boundary_of("") is None
    assert boundary_of("multipart/form-data; boundary=abc") == b"abc"
    with pytest.raises(Problem, match="bad_multipart"):
        boundary_of("multipart/form-data")


@pytest.mark.parametrize("character", [";", "\\", '"', " ", "a=;"])
def test_a_content_type_that_would_take_long_is_refused_unread(character: str) -> None:
    with pytest.raises(Problem) as refused:
        boundary_of('multipart/form-data; boundary=b; x="' + character * 60_000)
    assert (refused.value.status, refused.value.code) == (400, "bad_multipart")


async def test_so_is_a_part_whose_name_would() -> None:
    long = b'Content-Disposition: form-data; name="' + b";" * 3_000
    with pytest.raises(Problem, match="bad_multipart"):
        await read(form((long, b"")))


async def test_a_name_of_a_thousand_characters_is_no_reason_to_refuse_a_form() -> None:
    part, _ = await read(form(file_part(b"bytes", b"n" * 1024)))
    assert part.filename == "n" * 1024
