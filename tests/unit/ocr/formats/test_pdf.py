import re
from pathlib import Path

import pytest
from fpdf import FPDF
from fpdf.enums import AccessPermission, EncryptionMethod
from PIL import Image

from services.ocr.formats import pdf, pdfium
from services.ocr.pages import Line, Word
from services.ocr.settings import OcrSettings
from shared.errors import Rejected
from shared.harness.contract import Result, Task
from shared.media_types import Kind
from tests.unit.ocr.conftest import TaskOf
from tests.unit.ocr.documents import LETTER, drawn, handwritten_pdf, one_page_pdf

SETTINGS = OcrSettings()


def rejection(task: Task, settings: OcrSettings = SETTINGS) -> Rejected:
    with pytest.raises(Rejected) as refused:
        pdf.sliced(task, Kind.PDF, settings)
    return refused.value


def sources(task: Task) -> list[str]:
    return [slice_.args["source"] for slice_ in pdf.sliced(task, Kind.PDF, SETTINGS)]


def engine_that_says(*words: Word) -> pdf.Reader:
    return lambda picture: (Line(words, opens=True),)


def unused(picture: Image.Image) -> tuple[Line, ...]:
    raise AssertionError("a page with text was rendered")


def pages(task: Task, reader: pdf.Reader = unused, settings: OcrSettings = SETTINGS) -> list[Result]:
    return [
        page for slice_ in pdf.sliced(task, Kind.PDF, settings) for page in pdf.read(task, slice_, settings, reader)
    ]


def written(path: Path, *page_texts: str, rotate: int = 0) -> FPDF:
    document = FPDF(unit="pt", format=(600, 800))
    document.set_font("Helvetica", size=12)
    for text in page_texts:
        document.add_page()
        document.text(100, 200, text)
    document.output(str(path))
    return document


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document"


def test_words_of_a_text_layer_stand_where_they_are_printed(path: Path, task_of: TaskOf) -> None:
    written(path, "Mooring ring")
    (page,) = pages(task_of(path))
    assert (page["text"], page["source"], page["confidence"]) == ("Mooring ring", "text_layer", None)
    assert (page["width"], page["height"]) == (600, 800)
    x0, y0, x1, y1 = page["words"][0]["box"]
    assert x0 == pytest.approx(100, abs=3)
    assert 185 < y0 < 200 <= y1 < 206
    assert page["words"][1]["box"][0] > x1


@pytest.mark.parametrize(("turn", "box"), [(90, (200, 100)), (180, (500, 200)), (270, (600, 500))])
def test_words_of_a_turned_page_stand_where_they_are_seen(
    turn: int, box: tuple[int, int], path: Path, task_of: TaskOf
) -> None:
    content = "BT /F 12 Tf 100 200 Td (Mooring) Tj ET"
    path.write_bytes(one_page_pdf(f"/MediaBox [0 0 600 800] /Rotate {turn}", content))
    (page,) = pages(task_of(path))
    x0, y0, x1, y1 = page["words"][0]["box"]
    assert (page["width"], page["height"]) == ((600, 800) if turn == 180 else (800, 600))
    assert min(abs(x0 - box[0]), abs(x1 - box[0])) < 6
    assert min(abs(y0 - box[1]), abs(y1 - box[1])) < 6


def test_a_crop_box_moves_the_origin(path: Path, task_of: TaskOf) -> None:
    content = "BT /F 12 Tf 100 200 Td (Mooring) Tj ET"
    path.write_bytes(one_page_pdf("/MediaBox [0 0 600 800] /CropBox [50 150 350 450]", content))
    (page,) = pages(task_of(path))
    assert (page["width"], page["height"]) == (300, 300)
    x0, _, _, y1 = page["words"][0]["box"]
    assert (x0, y1) == (pytest.approx(50, abs=3), pytest.approx(250, abs=4))


def test_pages_with_text_go_in_runs_and_scans_alone(path: Path, task_of: TaskOf) -> None:
    document = FPDF(unit="pt", format=(600, 800))
    document.set_font("Helvetica", size=12)
    for number in range(1, 5):
        document.add_page()
        if number == 3:
            document.image(drawn(), 0, 0, 600, 800)
        else:
            document.text(100, 200, f"The minutes of meeting {number}")
    document.output(str(path))
    slices = pdf.sliced(task_of(path), Kind.PDF, SETTINGS)
    assert [(slice_.pages, slice_.args["source"]) for slice_ in slices] == [
        ((1, 2), "text_layer"),
        ((3, 3), "ocr"),
        ((4, 4), "text_layer"),
    ]


def test_a_stamp_on_a_scan_is_kept_with_what_is_read(path: Path, task_of: TaskOf) -> None:
    document = FPDF(unit="pt", format=(600, 800))
    document.set_font("Helvetica", size=12)
    document.add_page()
    document.image(drawn(), 0, 100, 600, 700)
    document.text(100, 50, "Received by the office")
    document.output(str(path))
    letter = Word("Dear", (100, 1500, 200, 1550), 90)
    (page,) = pages(task_of(path), engine_that_says(letter))
    assert (page["text"], page["source"], page["confidence"]) == ("Received by the office\n\nDear", "ocr", 90)
    assert page["words"][-1]["box"][1] < 800


@pytest.mark.parametrize(("top", "source"), [(350, "ocr"), (40, "text_layer")])
def test_a_picture_beside_much_text_is_read_unless_the_text_stands_on_it(
    top: float, source: str, path: Path, task_of: TaskOf
) -> None:
    document = FPDF(unit="pt", format=(600, 800))
    document.set_font("Helvetica", size=12)
    document.add_page()
    document.image(drawn(), 0, top, 600, 400)
    for row in range(6):
        document.text(50, 60 + 20 * row, f"Line {row} of the minutes that the harbour office wrote on Monday")
    document.output(str(path))
    assert [slice_.args["source"] for slice_ in pdf.sliced(task_of(path), Kind.PDF, SETTINGS)] == [source]


def test_the_engine_is_shown_only_what_the_text_layer_does_not_say(path: Path, task_of: TaskOf) -> None:
    document = FPDF(unit="pt", format=(600, 800))
    document.set_font("Helvetica", size=40)
    document.add_page()
    document.image(drawn(), 0, 400, 600, 300)
    document.text(100, 100, "Received by the office")
    document.output(str(path))
    seen: list[Image.Image] = []

    def look(picture: Image.Image) -> tuple[Line, ...]:
        seen.append(picture)
        return ()

    (page,) = pages(task_of(path), look)
    middle = seen[0].height // 2
    assert min(seen[0].crop((0, 0, seen[0].width, middle)).getextrema()) > 240
    assert min(seen[0].crop((0, middle, seen[0].width, seen[0].height)).getextrema()) < 50
    assert page["text"] == "Received by the office"


def test_a_page_is_rendered_in_gray_within_the_limit(path: Path, task_of: TaskOf) -> None:
    document = FPDF(unit="pt", format=(600, 800))
    document.add_page()
    document.image(drawn(size=(3000, 4000)), 0, 0, 600, 800)
    document.output(str(path))
    seen: list[Image.Image] = []

    def look(picture: Image.Image) -> tuple[Line, ...]:
        seen.append(picture)
        return ()

    pages(task_of(path), look, OcrSettings(max_render_pixels=1_000_000))
    assert seen[0].mode == "L"
    assert 0.9e6 < seen[0].width * seen[0].height <= 1.01e6


def test_a_layer_of_garbage_is_read_from_the_picture_alone(path: Path, task_of: TaskOf) -> None:
    path.write_bytes(one_page_pdf("/MediaBox [0 0 600 800]", 'BT /F 12 Tf 100 200 Td ("7+%-) Tj ET'))
    (page,) = pages(task_of(path), engine_that_says(Word("Phone", (1, 2, 3, 4), 96)))
    assert (page["text"], page["source"]) == ("Phone", "ocr")


def test_an_empty_page_is_done_without_rendering(path: Path, task_of: TaskOf) -> None:
    path.write_bytes(one_page_pdf("/MediaBox [0 0 600 800]"))
    assert [page["text"] for page in pages(task_of(path))] == [""]


def test_what_is_filled_into_a_form_is_text(path: Path, task_of: TaskOf) -> None:
    look = "/Tx BMC BT /F 12 Tf 2 4 Td (Ingrid Lindqvist) Tj ET EMC"
    field = (
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Ingrid Lindqvist) /Rect [100 400 300 420] /F 4 "
        "/DA (/F 12 Tf) /AP << /N 7 0 R >> >>"
    )
    form = (
        f"<< /Type /XObject /Subtype /Form /BBox [0 0 200 20] /Resources << /Font << /F 5 0 R >> >> /Length {len(look)}"
    )
    path.write_bytes(
        one_page_pdf(
            "/MediaBox [0 0 600 800] /Annots [6 0 R]",
            "BT /F 12 Tf 100 600 Td (Name of the tenant) Tj ET",
            field,
            f"{form} >>\nstream\n{look}\nendstream",
            catalogue="/AcroForm << /Fields [6 0 R] /DR << /Font << /F 5 0 R >> >> >>",
        )
    )
    (page,) = pages(task_of(path))
    assert page["text"] == "Name of the tenant\nIngrid Lindqvist"


@pytest.mark.parametrize("box", ["0 0 140000 140000", "0 0 595 2147483648", "10 10 -600 -800", "0 0 1e9 7"])
def test_text_on_an_absurd_page_is_read_without_rendering(box: str, path: Path, task_of: TaskOf) -> None:
    path.write_bytes(one_page_pdf(f"/MediaBox [{box}]", "BT /F 12 Tf 1 2 Td (Banner code HUGE-5512) Tj ET"))
    assert [page["text"] for page in pages(task_of(path))] == ["Banner code HUGE-5512"]


def test_a_page_no_resolution_can_show_is_refused_with_the_limit(path: Path, task_of: TaskOf) -> None:
    path.write_bytes(one_page_pdf("/MediaBox [0 0 595 2147483648]", "0 0 500 500 re f"))
    with pytest.raises(Rejected) as refused:
        pages(task_of(path))
    assert refused.value.code == "too_large"
    assert refused.value.facts["setting"] == "PAGESTREAM_OCR_MAX_RENDER_PIXELS"


def test_a_password_is_told_from_damage(path: Path, task_of: TaskOf) -> None:
    document = FPDF()
    document.add_page()
    document.set_encryption("owner", "user", EncryptionMethod.AES_128)
    document.output(str(path))
    assert rejection(task_of(path)).code == "encrypted"


def test_an_owner_password_alone_does_not_keep_readers_out(path: Path, task_of: TaskOf) -> None:
    document = FPDF()
    document.set_font("Helvetica", size=12)
    document.add_page()
    document.text(20, 20, "Restricted printing sample")
    document.set_encryption("owner", permissions=AccessPermission.none())
    document.output(str(path))
    assert pages(task_of(path))[0]["text"] == "Restricted printing sample"


def test_a_broken_cross_reference_is_repaired(path: Path, task_of: TaskOf) -> None:
    written(path, "Hello world")
    path.write_bytes(re.sub(rb"startxref\n\d+", b"startxref\n7", path.read_bytes()))
    assert pages(task_of(path))[0]["text"] == "Hello world"


@pytest.mark.parametrize("damage", [b"%PDF-1.4\n%%EOF", b"%PDF-1.4\n" + b"garbage" * 90])
def test_what_cannot_be_opened_is_corrupt(damage: bytes, path: Path, task_of: TaskOf) -> None:
    path.write_bytes(damage)
    assert rejection(task_of(path)).code == "corrupt_pdf"


def test_a_document_without_pages_is_corrupt(path: Path, task_of: TaskOf) -> None:
    path.write_bytes(handwritten_pdf("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 0 >>"))
    task, before = task_of(path), len(list(Path("/proc/self/fd").iterdir()))
    assert rejection(task).facts["detail"] == "it has no pages"
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_too_many_pages_are_refused_with_the_limit(path: Path, task_of: TaskOf) -> None:
    written(path, "one", "two", "three")
    refused = rejection(task_of(path), OcrSettings(max_pages=2))
    assert (refused.code, refused.facts["got"], refused.facts["limit"]) == ("too_many_pages", 3, 2)


def test_a_page_that_cannot_be_loaded_fails_alone(path: Path, task_of: TaskOf) -> None:
    path.write_bytes(
        handwritten_pdf(
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R 9 0 R] /Count 2 >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] >>",
        )
    )
    task = task_of(path)
    assert sources(task) == ["text_layer", "ocr"]
    with pytest.raises(Rejected) as refused:
        pages(task)
    assert refused.value.code == "corrupt_pdf"
    assert "page 2" in refused.value.facts["detail"]


def test_nothing_unstorable_leaves_a_text_layer(path: Path, task_of: TaskOf) -> None:
    path.write_bytes(
        one_page_pdf("/MediaBox [0 0 600 800]", "BT /F 12 Tf 100 200 Td (Total\\000\\001 73.15 euros) Tj ET")
    )
    (page,) = pages(task_of(path))
    assert not set(page["text"] + "".join(word["text"] for word in page["words"])) & {chr(code) for code in range(10)}
    assert "73.15" in page["text"]


def test_every_handle_is_closed(path: Path, task_of: TaskOf) -> None:
    written(path, *LETTER)
    task = task_of(path)
    with pdfium.opened(path) as document:
        with pdfium.page(document, 1) as page:
            assert page.text == LETTER[0]
        assert not page._page.raw
    assert not document.raw
    assert len(pages(task)) == len(LETTER)
