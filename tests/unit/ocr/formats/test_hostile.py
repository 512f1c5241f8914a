"""Files that are made to be slow: each reader takes time in proportion to what it is given, or refuses."""

import io
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from services.ocr import documents
from services.ocr.formats import mail, opendocument, plain_text, web_page, wordprocessing, zip_containers
from services.ocr.settings import OcrSettings
from shared.errors import Rejected
from shared.media_types import Kind
from tests.unit.ocr import office

SMALL = 120_000  # bytes
GROWTH = 3.0  # times as long for twice as much; quadratic time grows by 4
QUICK = 0.03  # seconds of CPU: no growth to speak of


def zipped(name: str, content: str) -> bytes:
    container = io.BytesIO()
    with zipfile.ZipFile(container, "w") as archive:
        archive.writestr(name, content)
    return container.getvalue()


def html(text: str) -> None:
    web_page.text_of(web_page.decoded(text.encode()))


def letter(text: str) -> None:
    mail._parsed.__wrapped__(text.encode())


def word(text: str) -> None:
    wordprocessing.pages(zipped("word/document.xml", text))


def odt(text: str) -> None:
    opendocument.pages(zipped("content.xml", text))


def plain(text: str) -> None:
    plain_text.paged(plain_text.decoded(text.encode()))


HEAD = "From: a\nTo: b\nDate: d\nSubject: s\n"
HTML = [
    "<!--", "<!-->", "<!---->", "<!", "<!x>", "<?", "<?x>", "<![cdata[", "<![cdata[>", "<![if>", "</", "</a", "<a ",
    "<a x=' ", '<a x="', "<a x=y ", "<a\n", "&", "&#", "&amp", "<script>", "<script></", "<style><!--",
    "<SCRIPT>x</script>", "<p><!-- x -->", "<table><tr><td>", "<pre>\n", "<div>", "<body>", "<head>", "-->", "<", ">",
    "<>", "< ", "<-", "<!-", "<!doctype ", "<svg><title>", "</p", "<b/", "\n", " ", "<br>", "x<",
]  # fmt: skip
MAIL = {
    "open quotes": lambda n: f'{HEAD}Content-Type: text/plain; a="' + ";" * n + "\n\nhi\n",
    "folded parameters": lambda n: f"{HEAD}Content-Type: text/plain" + ";\n a*0=x" * (n // 8) + "\n\nhi\n",
    "encoded words": lambda n: HEAD + "X: " + "=?a?q?" * (n // 6) + "\n\nhi\n",
    "encoded subject": lambda n: "Subject: " + "=?utf-8?q?a?= " * (n // 14) + f"\n{HEAD}\nhi\n",
    "comments in an address": lambda n: "From: " + "(" * n + f"\n{HEAD}\nhi\n",
    "many headers": lambda n: HEAD + "X-A: b\n" * (n // 7) + "\nhi\n",
    "one header of many lines": lambda n: HEAD + "X-A: b\n" + " c\n" * (n // 3) + "\nhi\n",
    "parts within parts": lambda n: HEAD + nested(n // 90),
    "parts without end": lambda n: HEAD + "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n" * (n // 4),
    "lines within deep parts": lambda n: HEAD + nested(20) + "\n" * n,
    "mails within mails": lambda n: (HEAD + "Content-Type: message/rfc822\n\n") * (n // 80) + HEAD + "\nhi",
    "a page of comments": lambda n: f"{HEAD}Content-Type: text/html\n\n" + "<!--" * (n // 4),
    "base64 that is none": lambda n: f"{HEAD}Content-Transfer-Encoding: base64\n\n" + "=A=" * (n // 3),
    "quoted-printable": lambda n: f"{HEAD}Content-Transfer-Encoding: quoted-printable\n\n" + "=\n=" * (n // 3),
}  # fmt: skip
XML = {
    "deep": lambda n: "<a>" * (n // 3),
    "deep and closed": lambda n: "<a>" * (n // 7) + "</a>" * (n // 7),
    "attributes": lambda n: "<a " + " ".join(f'x{i}="1"' for i in range(n // 9)) + "/>",
    "comments": lambda n: "<a>" + "<!---->" * (n // 7) + "</a>",
    "an open comment": lambda n: "<a><!--" + "-" * n,
    "cdata": lambda n: "<a>" + "<![CDATA[x]]>" * (n // 13) + "</a>",
    "white space": lambda n: "<a>" + " " * n + "</a>",
    "an open tag": lambda n: "<a " + " " * n,
}  # fmt: skip
TEXT = ["\f", "\r", "\n", " ", "a ", "\r\n", "é", "\x0b", "\u2028"]


def nested(depth: int) -> str:
    return "".join(f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(depth)) + "\nhi\n"


CASES: dict[str, tuple[Callable[[str], None], Callable[[int], str]]] = {
    **{f"html {atom!r}": (html, lambda n, atom=atom: "<html>" + atom * (n // len(atom))) for atom in HTML},
    **{
        f"html {atom!r} and an end": (html, lambda n, atom=atom: "<html>" + atom * (n // len(atom)) + ">")
        for atom in HTML
    },
    **{f"mail: {name}": (letter, made) for name, made in MAIL.items()},
    **{f"docx: {name}": (word, made) for name, made in XML.items()},
    **{f"odt: {name}": (odt, made) for name, made in XML.items()},
    **{f"text {atom!r}": (plain, lambda n, atom=atom: atom * (n // len(atom))) for atom in TEXT},
}


def seconds(read: Callable[[str], None], text: str) -> float:
    began = time.process_time()
    with suppress(Rejected):  # in words, and in time
        read(text)
    return time.process_time() - began


@pytest.mark.parametrize("case", CASES)
def test_no_file_takes_a_reader_more_than_its_share_of_time(case: str) -> None:
    read, made = CASES[case]
    once, twice = made(SMALL), made(2 * SMALL)
    for _ in range(3):  # a busy machine is no slow reader
        long = seconds(read, twice)
        if long < QUICK or long <= GROWTH * seconds(read, once):
            return
    pytest.fail(f"{2 * SMALL} bytes took {long:.2f} s")


def test_a_page_says_the_same_without_what_is_left_out() -> None:
    page = """<!DOCTYPE html><html><head><title>no</title><style>p > a { x }</style></head><body>
      <script>if (a < b) { s = "<!-- no"; t = "</p>" }</script><p>one<!-- no > --> and <b title="a > b">two</b></p>
      <?php no ?><!-->a<p>3 < 4 &amp; 5 &lt; 6</p><SCRIPT type=x>no</SCRIPT><styled>three</styled>
      <![CDATA[no]]></body>"""
    assert web_page.text_of(page).split() == ["one", "and", "two", "a", "3", "<", "4", "&", "5", "<", "6", "three"]


def test_a_comment_that_nobody_closed_is_text_as_before() -> None:
    assert web_page.text_of("<p>one<!-- two<p>three").split() == ["one<!--", "two", "three"]


@pytest.mark.parametrize("text", ["<a>" * 200_000 + "</a>" * 200_000, "<a>" * 200_000])
def test_slides_nested_too_deeply_for_their_reader_are_refused(text: str, tmp_path: Path) -> None:
    """It calls itself for each level: at some 20,000 of them its process would be gone."""
    path = tmp_path / "slides"
    path.write_bytes(office.slides(text))
    with pytest.raises(Rejected, match="nested too deeply"):
        documents._texts(path, Kind.PPTX, OcrSettings())


MARKER = "Zebrafink"


def hostile(tmp_path: Path) -> dict[str, tuple[Callable[[], object], Path]]:
    entity = f'<!DOCTYPE x [<!ENTITY {MARKER} "{MARKER}">]><x>&{MARKER};</x>'
    members = {
        "entities": (f"word/{MARKER}.xml", entity), "broken": ("word/document.xml", f"<{MARKER}><b></{MARKER}>"),
        "missing": (f"word/{MARKER}.xml", "<a/>"), "content": ("content.xml", f"<{MARKER} {MARKER}>"),
    }  # fmt: skip
    made: dict[str, tuple[Callable[[], object], Path]] = {}
    for name, (member, content) in members.items():
        path = tmp_path / f"{MARKER} {name}.docx"
        path.write_bytes(zipped(member, content))

        def read(path: Path = path, name: str = name) -> object:
            copy = zip_containers.copied(path, 10**6)
            return opendocument.pages(copy) if name == "content" else wordprocessing.pages(copy)

        made[name] = (read, path)
    return made


def test_no_refusal_carries_a_name_or_a_word_of_the_document(tmp_path: Path) -> None:
    """What is refused is told in facts that outlive the document."""
    for name, (read, _) in hostile(tmp_path).items():
        with pytest.raises(Rejected) as refused:
            read()
        assert MARKER not in repr(refused.value.facts), name
        assert MARKER not in str(refused.value), name
