"""Word documents, read from their XML (ISO/IEC 29500-1, chapter 17).

Not by Kreuzberg 4.10: it loses every `&` and other character reference, what a tab parts, headers and footers.
"""

import io
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Final
from xml.parsers import expat

from services.ocr.formats.markup import MarkupReader, why
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
        raise Rejected("corrupt_document", detail=f"its text cannot be read ({why(error)})") from error
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


class _Reader(MarkupReader):
    def is_silent(self, name: str) -> bool:
        return name in _SILENT

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        # It stands within the looks of a paragraph, and is the one of them that counts.
        if name == "w:pageBreakBefore" and attributes.get("w:val") not in ("0", "false"):
            self.flow.turn()
        super()._start(name, attributes)

    def begins(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "w:t":
                self._said = 1
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

    def ends(self, name: str) -> None:
        match name:
            case "w:t":
                self._said = 0
            case "w:tc":
                self._cells -= 1
            case "w:tbl" | "w:txbxContent" if not self._cells:
                self.flow.paragraph()
