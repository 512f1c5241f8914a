"""Office files, web pages and mails, through the stage's own functions."""

import io
from pathlib import Path

import pillow_heif
import pytest
from fpdf import FPDF

from services.ocr import documents
from services.ocr.formats import mail
from services.ocr.handlers import settings
from services.ocr.pages import Line, Word, concluded
from shared.errors import Rejected
from shared.harness.contract import Plan, Task
from tests.unit.ocr import office
from tests.unit.ocr.conftest import TaskOf, configure
from tests.unit.ocr.documents import LETTER, drawn

PLACED = Line((Word("seen", (0, 0, 1, 1), 90),))


def pages_of(task: Task) -> list[str]:
    """The text of every page; pictures are "seen" and not recognised."""
    slices = documents.sliced(task, settings())
    found = [page for slice_ in slices for page in documents.read(task, slice_, settings(), lambda _: (PLACED,))]
    assert [page["page"] for page in found] == list(range(1, len(found) + 1))
    assert documents.check_count(slices, settings()) == len(found)
    assert list(task.workdir.iterdir()) == []
    concluded(Plan(engine="e", slices=slices), [{"pages": found}, *[None] * (len(slices) - 1)])
    return [page["text"] for page in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "upload.bin"


def read(data: bytes, path: Path, task_of: TaskOf) -> list[str]:
    path.write_bytes(data)
    return pages_of(task_of(path))


def refusal(data: bytes, path: Path, task_of: TaskOf) -> Rejected:
    with pytest.raises(Rejected) as refused:
        read(data, path, task_of)
    return refused.value


def pdf_of(*lines: str) -> bytes:
    document = FPDF()
    document.set_font("Helvetica", size=12)
    for line in lines:
        document.add_page()
        document.text(20, 20, line)
    return bytes(document.output())


BREAK = '<w:p><w:r><w:br w:type="page"/></w:r></w:p><w:p><w:r><w:t>second</w:t></w:r></w:p>'
TABBED = "<w:p><w:r><w:t>Total</w:t><w:tab/><w:t>38.99</w:t></w:r></w:p>"
SLIDE = "<draw:page><text:p>{}</text:p></draw:page>"
CELL = '<table:table-cell office:value="12.5"><text:p>{}</text:p></table:table-cell>'
SHEET = '<table:table table:name="{}"><table:table-row>{}</table:table-row></table:table>'


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        (office.word("Lease", "Rent &amp; deposit", raw=TABBED + BREAK),
         ["Lease\n\nRent & deposit\n\nTotal\t38.99", "second"]),
        (office.workbook(Stock=[["SKU", "B &amp; C"], ["VX-301", "240"]], Notes=[["far"]]),
         ["Stock\n\nSKU\tB & C\nVX-301\t240", "Notes\n\nfar"]),
        (office.slides("A &amp; B", "5 &lt; 6"), ["A & B", "5 < 6"]),
        (office.OLD_WORKBOOK, ["Alt\n\nXLS cell XC-1\n\t12.5", "Z\n\nzwei"]),
        (office.open_document("presentation", SLIDE.format("one") + SLIDE.format("two")), ["one", "two"]),
        (office.open_document("spreadsheet", SHEET.format("Mai", CELL.format("Boje") + CELL.format("12,50 €"))),
         ["Mai\n\nBoje\t12,50 €"]),
        (rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0 Gr\'f6\'dfe \b 5\b0\par}", ["Größe 5"]),
        ("<!DOCTYPE html><head><title>x</title></head><h1>Größe</h1><script>no()</script><footer>end".encode(),
         ["Größe\n\nend"]),
        ("<html><meta charset=windows-1251><p>Привет".encode("cp1251"), ["Привет"]),
        (b"first\r\n\f\r\nsecond\n\f", ["first", "second"]),
    ],
    ids=["docx", "xlsx", "pptx", "xls", "odp", "ods", "rtf", "html", "html in cyrillic", "form feeds"],
)  # fmt: skip
def test_a_document_is_read_page_by_page(data: bytes, pages: list[str], path: Path, task_of: TaskOf) -> None:
    assert [page.strip() for page in read(data, path, task_of)] == pages


def test_a_word_document_keeps_its_tables_boxes_notes_and_letterhead(path: Path, task_of: TaskOf) -> None:
    def says(text: str) -> str:
        return f"<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"

    box = f"<w:txbxContent>{says('in a box')}</w:txbxContent>"
    raw = (
        f"<w:p><w:ins><w:r><w:t>kept</w:t></w:r></w:ins><w:del><w:r><w:t>gone</w:t></w:r></w:del></w:p>"
        f"<w:p><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>"
        f"<w:tbl><w:tr><w:tc>{says('a')}{says('b')}</w:tc><w:tc>{says('c')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{says('d')}</w:tc></w:tr></w:tbl>"
    )
    raw = raw.replace("<mc:AlternateContent>", '<mc:AlternateContent xmlns:mc="m">')
    namespace = 'xmlns:w="w"'
    more = {
        "word/header1.xml": f"<w:hdr {namespace}>{says('Harbour Office')}</w:hdr>",
        "word/header2.xml": f"<w:hdr {namespace}>{says('Harbour Office')}</w:hdr>",
        "word/footnotes.xml": f"<w:footnotes {namespace}>{says('A note')}</w:footnotes>",
        "word/footer1.xml": f"<w:ftr {namespace}>{says('VAT 12')}</w:ftr>",
    }
    (page,) = read(office.word("Dear all", raw=raw, more=more), path, task_of)
    assert page == "Harbour Office\n\nDear all\n\nkept\n\nin a box\n\na b\tc\nd\n\nA note\n\nVAT 12"


def test_an_open_document_text_keeps_its_spaces_tables_and_page_breaks(path: Path, task_of: TaskOf) -> None:
    styles = (
        '<style:style style:name="P9"><style:paragraph-properties fo:break-before="page"/></style:style>'
        '<style:style style:name="P1"><style:paragraph-properties/></style:style>'
    )
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        '<text:h text:style-name="P1">Lease</text:h>'
        "<text:p>from<text:s/>May<text:tab/>on<text:line-break/>and so on</text:p>"
        f"<table:table><table:table-row>{CELL.format('a')}{CELL.format('b')}</table:table-row></table:table>"
        '<text:p text:style-name="P9">new<text:soft-page-break/>page</text:p>'
    )
    found = read(office.open_document("text", body, styles), path, task_of)
    assert found == ["Lease\n\nfrom May\ton\nand so on\n\na\tb", "new", "page"]


def test_long_text_is_cut_into_pages_between_paragraphs(path: Path, task_of: TaskOf) -> None:
    paragraph = "The harbour office wrote on Monday about the mooring ring. " * 20
    found = read("\n\n".join([paragraph.strip()] * 30).encode(), path, task_of)
    assert len(found) == 4
    assert all(page.startswith("The harbour") and page.endswith("ring.") and len(page) <= 10_000 for page in found)
    assert " ".join(" ".join(found).split()) == " ".join((paragraph * 30).split())


def test_a_heic_photo_is_read(path: Path, task_of: TaskOf) -> None:
    photo = io.BytesIO()
    pillow_heif.from_pillow(drawn().convert("RGB")).save(photo)
    assert read(photo.getvalue(), path, task_of) == ["seen"]


def test_the_attachments_of_a_mail_are_further_pages(path: Path, task_of: TaskOf) -> None:
    picture = io.BytesIO()
    drawn(LETTER[:1]).save(picture, "PNG")
    inner = office.mail("Inner words", lease_docx=office.word("Lease inside"))
    message = office.mail(
        "See attached.",
        plan_dat=pdf_of("first page", "second page"),
        photo_jpg=picture.getvalue(),
        forwarded_eml=inner.as_bytes(),
        tool_exe=b"MZ\x90\0",
    )
    first, *others = read(message.as_bytes(), path, task_of)
    assert first.startswith("Subject: Größe der Boje\nFrom: Jörg Müller <joerg@example.org>\nTo: office@example.com\n")
    assert "Attachment: plan.dat\n" in first
    assert "Attachment: tool.exe (not read: This is a Windows program, which Pagestream does not read.)" in first
    assert first.endswith("See attached.")
    assert others[:3] == ["first page", "second page", "seen"]
    assert "Inner words" in others[3]
    assert others[4:] == ["Lease inside"]


def test_a_mail_is_parsed_once_for_all_its_pages(path: Path, task_of: TaskOf, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    class Counting(mail._Parser):
        def feed(self, data: bytes) -> None:
            parsed.append(len(data))
            super().feed(data)

    monkeypatch.setattr(mail, "_Parser", Counting)
    inner = office.mail("Inner words, read once", plan_dat=pdf_of("third page", "fourth page"))
    message = office.mail("Read once.", plan_dat=pdf_of("first page"), forwarded_eml=inner.as_bytes())
    assert read(message.as_bytes(), path, task_of)[1::2] == ["first page", "third page"]
    assert len(parsed) == 2


def test_a_mail_forwarded_within_another_is_part_of_its_text(path: Path, task_of: TaskOf) -> None:
    message = office.mail("Please read.")
    message.add_attachment(office.mail("The older words", boat_txt=b"a boat"))
    first, second = read(message.as_bytes(), path, task_of)
    assert "Please read." in first
    assert "The older words" in first
    assert second == "a boat"


def test_a_mail_in_html_alone_is_read_as_its_words(path: Path, task_of: TaskOf) -> None:
    message = office.mail("")
    message.set_content("<html><p>Größe: <b>5</b><img src='http://tracker.example/x.png'></html>", subtype="html")
    (page,) = read(message.as_bytes(), path, task_of)
    assert page.endswith("\n\nGröße: 5")


def test_attachments_beyond_the_limit_are_named_and_not_read(
    path: Path, task_of: TaskOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, MAX_ATTACHMENTS=1)
    first, second = read(office.mail("Two", a_txt=b"alpha", b_txt=b"beta").as_bytes(), path, task_of)
    assert second == "alpha"
    assert "Attachment: b.txt (not read: The number of attachments is more than 1" in first


@pytest.mark.parametrize(
    ("data", "code", "found"),
    [
        (office.compound("WordDocument"), "unsupported_type", "a Word document of before 2007 (doc)"),
        (office.compound("__properties_version1.0"), "unsupported_type", "an Outlook message (msg)"),
        (office.compound("EncryptionInfo", "EncryptedPackage"), "encrypted", None),
        (office.open_document("text", "", manifest="<encryption-data/>"), "encrypted", None),
        (office.zipped({"xl/workbook.bin": b"x"}), "unsupported_type", "a binary Excel workbook (xlsb)"),
        (office.zipped({"passwords/word/list.txt": b"x"}), "unsupported_type", "a ZIP archive"),
        (office.word("Lease")[:-200], "corrupt_document", None),
        (office.zipped({"word/document.xml": b"<w:document"}), "corrupt_document", None),
        (office.open_document("text", "<text:p>"), "corrupt_document", None),
    ],
    ids=[
        "doc",
        "msg",
        "docx under a password",
        "odt under a password",
        "xlsb",
        "zip",
        "cut off",
        "not xml",
        "not closed",
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    data: bytes, code: str, found: str | None, path: Path, task_of: TaskOf
) -> None:
    refused = refusal(data, path, task_of)
    assert (refused.code, refused.facts.get("found")) == (code, found)
