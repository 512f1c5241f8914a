"""Files made to exhaust a reader: each is refused by name, at once, and within little memory."""

import resource
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ocr import documents
from services.ocr.formats.pdfium import opened
from services.ocr.handlers import settings
from services.ocr.pages import Line
from shared.errors import Rejected
from shared.harness.contract import Result, Task
from tests.unit.ocr import office
from tests.unit.ocr.conftest import TaskOf, configure
from tests.unit.ocr.documents import handwritten_pdf, one_page_pdf

SECONDS = 20  # ten times what the slowest takes on an idle core
MEMORY = 1024 * 1024 * 1024  # bytes that reading may add


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """Fails the test that takes long or much; what is read is read in this process."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    assert time.process_time() - began < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


def read(data: bytes, path: Path, task_of: TaskOf) -> list[Result]:
    path.write_bytes(data)
    task: Task = task_of(path)

    def nothing(_: object) -> tuple[Line, ...]:
        return ()

    slices = documents.sliced(task, settings())
    documents.check_count(slices, settings())
    return [page for slice_ in slices for page in documents.read(task, slice_, settings(), nothing)]


def refused(data: bytes, tmp_path: Path, task_of: TaskOf) -> Rejected:
    with pytest.raises(Rejected) as refusal:
        read(data, tmp_path / "bomb", task_of)
    return refusal.value


def png(width: int, height: int) -> bytes:
    """The header of a picture and a few of its pixels."""

    def part(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = part(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + part(b"IDAT", zlib.compress(bytes(1000))) + part(b"IEND", b"")


def test_a_picture_of_giant_size_is_refused_by_its_header(tmp_path: Path, task_of: TaskOf) -> None:
    refusal = refused(png(60_000, 30_000), tmp_path, task_of)
    assert refusal.code == "too_large"
    assert refusal.facts["setting"] == "PAGESTREAM_OCR_MAX_IMAGE_PIXELS"


@pytest.mark.parametrize("side", [2**31, 2**31 - 1, 10**12])
def test_a_page_of_giant_size_is_refused_or_blank(side: int, tmp_path: Path, task_of: TaskOf) -> None:
    data = one_page_pdf(f"/MediaBox [0 0 {side} 10]", "0 0 5 5 re f")
    try:
        outcome = [page["text"] for page in read(data, tmp_path / "bomb", task_of)]
    except Rejected as refusal:
        outcome = [refusal.code]
    assert outcome in ([""], ["too_large"], ["corrupt_pdf"])


def test_a_document_of_too_many_pages_is_refused_with_the_limit(tmp_path: Path, task_of: TaskOf) -> None:
    kids = "3 0 R " * 30_000
    pages = f"<< /Type /Pages /Kids [{kids}] /Count 30000 >>"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 10 10] >>"
    refusal = refused(handwritten_pdf("<< /Type /Catalog /Pages 2 0 R >>", pages, page), tmp_path, task_of)
    assert refusal.code == "too_many_pages"
    assert refusal.facts == {"got": 30_000, "limit": 5000, "setting": "PAGESTREAM_OCR_MAX_PAGES"}


def test_forms_that_draw_each_other_end(tmp_path: Path, task_of: TaskOf) -> None:
    form = "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X {} 0 R >> >> /Length 5 >>"
    both = [f"{form.format(other)}\nstream\n/X Do\nendstream" for other in (5, 4)]
    data = handwritten_pdf(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Resources << /XObject << /X 4 0 R >> >>"
        " /Contents 6 0 R >>",
        *both,
        "<< /Length 5 >>\nstream\n/X Do\nendstream",
    )
    assert [page["text"] for page in read(data, tmp_path / "bomb", task_of)] == [""]


def test_a_stream_packed_many_times_over_ends(tmp_path: Path, task_of: TaskOf) -> None:
    packed = b"0 0 m " * 3_000_000
    for _ in range(3):
        packed = zlib.compress(packed, 9)
    filters = "/Filter [/FlateDecode /FlateDecode /FlateDecode]"
    head = one_page_pdf("/MediaBox [0 0 100 100]", "@")
    stream = f"<< /Length {len(packed)} {filters} >>\nstream\n".encode() + packed + b"\nendstream"
    data = head.replace(b"<< /Length 1 >>\nstream\n@\nendstream", stream)
    assert stream in data
    assert len(read(data, tmp_path / "bomb", task_of)) == 1
    with opened(tmp_path / "bomb") as document:
        assert len(document) == 1


@pytest.mark.parametrize(
    "member", ["word/document.xml", "word/styles.xml", "docProps/app.xml"], ids=["the text", "its styles", "anything"]
)
def test_a_document_that_unpacks_to_a_flood_is_refused_with_the_limit(
    member: str, tmp_path: Path, task_of: TaskOf
) -> None:
    flood = {member: b" " * (65 * 1024 * 1024)}
    refusal = refused(office.word("Lease", more=flood), tmp_path, task_of)
    assert refusal.code == "too_large"
    assert refusal.facts["limit"] == "67108864 bytes"
    assert refusal.facts["setting"] == "PAGESTREAM_OCR_MAX_UNPACKED_BYTES"


def test_pictures_in_a_document_are_not_unpacked(tmp_path: Path, task_of: TaskOf) -> None:
    data = office.word("Lease", more={"word/media/image1.png": bytes(200 * 1024 * 1024)})
    assert [page["text"] for page in read(data, tmp_path / "bomb", task_of)] == ["Lease"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_a_parser_sees_them(encoding: str, tmp_path: Path, task_of: TaskOf) -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]><x>&b;&f;</x>'
    refusal = refused(office.word("Lease", more={"word/styles.xml": laughs.encode(encoding)}), tmp_path, task_of)
    assert refusal.code == "corrupt_document"
    assert "XML entities" in refusal.facts["detail"]


def test_a_mail_of_many_levels_is_refused_or_read(tmp_path: Path, task_of: TaskOf) -> None:
    parts = "".join(f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(3000))
    data = f"From: a\nTo: b\nSubject: c\n{parts}".encode()
    try:
        outcome = [page["page"] for page in read(data, tmp_path / "bomb", task_of)]
    except Rejected as refusal:
        outcome = [refusal.code]
    assert outcome in ([1], ["corrupt_document"])


def test_mails_within_mails_are_read_to_a_bounded_depth(tmp_path: Path, task_of: TaskOf) -> None:
    data = b"the innermost"
    for level in range(8):
        data = office.mail(f"level {level}", next_eml=data).as_bytes()
    found = read(data, tmp_path / "bomb", task_of)
    assert [level for level in range(8) if f"level {level}" in found[-1]["text"]] == [4]
    assert "nested too deeply" in found[-1]["text"]


def test_a_mail_beyond_its_limit_is_refused(tmp_path: Path, task_of: TaskOf, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, MAX_MAIL_BYTES=1000)
    refusal = refused(office.mail("x" * 2000).as_bytes(), tmp_path, task_of)
    assert refusal.code == "too_large"
    assert refusal.facts["setting"] == "PAGESTREAM_OCR_MAX_MAIL_BYTES"
