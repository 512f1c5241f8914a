"""Word documents, read from their XML (ISO/IEC 29500-1, chapter 17).

Not by Kreuzberg 4.10: it loses every `&` and other character reference, what a tab parts, headers and footers.
"""

import io
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Final
from xml.parsers import expat

from services.ocr.flow import Flow
from shared.errors import Rejected

_MAIN: Final = "word/document.xml"
_HEADERS: Final = "word/header*.xml"
_FOOTERS: Final = "word/footer*.xml"
_NOTES: Final = ("word/footnotes.xml", "word/endnotes.xml")
# Looks, what was deleted or moved away, and the second version of what newer programs find in the first.
_SILENT: Final = frozenset({"w:pPr", "w:rPr", "w:sectPr", "w:tblPr", "w:del", "w:moveFrom", "mc:Fallback"})


def pages(container: bytes) -> list[str]:
    """The text as its page breaks part it, those of the last layout too; at least one page.

    Headers stand once, above the first page, notes and footers below the last. Raises Rejected: corrupt_document.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(container)) as archive:
            found = _read(archive, _MAIN)
            above = _texts(archive, _matching(archive, _HEADERS))
            below = _texts(archive, [name for name in _NOTES if name in archive.namelist()])
            below += _texts(archive, _matching(archive, _FOOTERS))
    except (KeyError, zipfile.BadZipFile, expat.ExpatError) as error:
        raise Rejected("corrupt_document", detail=f"its text cannot be read ({error})") from error
    found[0] = "\n\n".join(part for part in (*above, found[0]) if part)
    found[-1] = "\n\n".join(part for part in (found[-1], *below) if part)
    return found


def _matching(archive: zipfile.ZipFile, pattern: str) -> list[str]:
    return sorted(name for name in archive.namelist() if fnmatch(name, pattern))


def _texts(archive: zipfile.ZipFile, names: Iterable[str]) -> list[str]:
    """What these parts say, the same once: a header of the first page mostly repeats that of the others."""
    return list(dict.fromkeys("\n\n".join(_read(archive, name)) for name in names))


def _read(archive: zipfile.ZipFile, name: str) -> list[str]:
    reader = _Reader()
    reader.parse(archive.read(name))
    return reader.flow.pages()


class _Reader:
    def __init__(self) -> None:
        self.flow = Flow()
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._silent = 0  # how deep within an element that is not read
        self._saying = False  # within w:t, outside of which there is only white space
        self._cells = 0

    def parse(self, part: bytes) -> None:
        self._parser.Parse(part, True)

    def _text(self, said: str) -> None:
        if self._saying and not self._silent:
            self.flow.text(said)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "w:pageBreakBefore" and attributes.get("w:val") not in ("0", "false"):
            self.flow.turn()
        if self._silent or name in _SILENT:
            self._silent += 1
            return
        match name:
            case "w:t":
                self._saying = True
            case "w:p":
                self.flow.space() if self._cells else self.flow.paragraph()
            case "w:br" if attributes.get("w:type") == "page":
                self.flow.turn()
            case "w:lastRenderedPageBreak":
                self.flow.turn()
            case "w:br" | "w:cr":
                self.flow.line()
            case "w:tab" | "w:ptab":
                self.flow.cell()
            case "w:noBreakHyphen":
                self.flow.text("-")
            case "w:tbl" | "w:tr":
                self._row(name)
            case "w:tc":
                self.flow.cell()
                self._cells += 1

    def _row(self, name: str) -> None:
        if self._cells:  # a table within a cell is read as one line of it
            self.flow.space()
        elif name == "w:tbl":
            self.flow.paragraph()
        else:
            self.flow.line()

    def _end(self, name: str) -> None:
        if self._silent:
            self._silent -= 1
            return
        match name:
            case "w:t":
                self._saying = False
            case "w:tc":
                self._cells -= 1
            case "w:tbl" | "w:txbxContent" if not self._cells:
                self.flow.paragraph()
