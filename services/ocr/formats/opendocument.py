"""OpenDocument text, spreadsheets and presentations, read from their `content.xml` (OASIS OpenDocument 1.3, part 3).

Not by Kreuzberg: it leaves out tables of contents and what a spreadsheet shows, and reads no presentations.
"""

import io
import zipfile
from typing import Final
from xml.parsers import expat

from services.ocr.formats.markup import MarkupReader, why
from shared.errors import Rejected

_CHUNK: Final = 64 * 1024
# Names as files have them; the prefixes are those of the standard, and every known writer uses them.
_SILENT: Final = frozenset({"text:tracked-changes", "office:annotation", "text:index-title-template"})
_TEMPLATES: Final = "-source"  # a table of contents is there as text too; its `…-source` describes how it was made


def pages(container: bytes) -> list[str]:
    """The text page by page: slides, sheets, or what the page breaks of the last layout part; at least one.

    Raises Rejected: corrupt_document.
    """
    reader = _Reader()
    try:
        with zipfile.ZipFile(io.BytesIO(container)) as archive, archive.open("content.xml") as content:
            while part := content.read(_CHUNK):
                reader.parse(part, final=False)
            reader.parse(b"", final=True)
    except (KeyError, zipfile.BadZipFile, expat.ExpatError) as error:
        raise Rejected("corrupt_document", detail=f"its text cannot be read ({why(error)})") from error
    return reader.flow.pages()


class _Reader(MarkupReader):
    def __init__(self) -> None:
        super().__init__()
        self._is_spreadsheet = False
        self._style = ""
        self._breaking: set[str] = set()  # styles of paragraphs that begin a page

    def is_silent(self, name: str) -> bool:
        return name in _SILENT or name.endswith(_TEMPLATES)

    def begins(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "text:p" | "text:h":
                self._paragraph(attributes.get("text:style-name"))
            case "text:s":
                self.flow.space()
            case "text:tab":
                self.flow.cell()
            case "text:line-break" | "table:table-row":
                self.flow.line()
            case "table:table-cell" | "table:covered-table-cell":
                self.flow.cell()
                self._cells += 1
            case "table:table":
                self._table(attributes.get("table:name", ""))
            case "text:soft-page-break":
                self.flow.turn()
            case "office:spreadsheet":
                self._is_spreadsheet = True
            case "style:style":
                self._style = attributes.get("style:name", "")
            case "style:paragraph-properties" if attributes.get("fo:break-before") == "page":
                self._breaking.add(self._style)

    def _paragraph(self, style: str | None) -> None:
        self._said += 1
        if self._cells:
            self.flow.space()
        elif style in self._breaking:
            self.flow.turn()
        else:
            self.flow.paragraph()

    def _table(self, name: str) -> None:
        self.flow.paragraph()
        if self._is_spreadsheet and not self._cells:
            self.flow.text(name)
            self.flow.paragraph()

    def ends(self, name: str) -> None:
        match name:
            case "text:p" | "text:h":
                self._said -= 1
            case "table:table-cell" | "table:covered-table-cell":
                self._cells -= 1
            case "draw:page":
                self.flow.page()
            case "table:table" if self._is_spreadsheet and not self._cells:
                self.flow.page()
            case "table:table":
                self.flow.paragraph()
