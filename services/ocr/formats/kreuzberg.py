"""Kreuzberg, which reads Excel, PowerPoint and RTF; it is given bytes and gives back text.

It never recognises pictures here, keeps no cache, fetches nothing, and works on one thread. Only a process that meets
such a document loads it: the library adds 350 MB of address space.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import kreuzberg
from kreuzberg.exceptions import KreuzbergError

from shared.errors import Rejected
from shared.media_types import MEDIA_TYPES, Kind

_SHEETS: Final = frozenset({Kind.XLSX, Kind.XLS})
# Between slides; no document holds it, for U+E000 to U+F8FF are private characters that `cleaned` text may not mean.
_BREAK: Final = "\ue5d1"
_MIDNIGHT: Final = re.compile(r"^(\d{4}-\d\d-\d\d) 00:00:00$")  # a date without a time, as cells hold it
# The library's own words about a document may be the document's; people see what was expected.
_NAMES: Final = {
    Kind.XLSX: "Excel workbook",
    Kind.XLS: "Excel workbook",
    Kind.PPTX: "presentation",
    Kind.RTF: "RTF text",
}


def read(data: bytes, kind: Kind) -> list[str]:
    """The text of a document page by page: slides, sheets, or the whole; at least one.

    Raises Rejected: corrupt_document.
    """
    try:
        found = kreuzberg.extract_bytes_sync(data, MEDIA_TYPES[kind], config=_configuration())
    except KreuzbergError as error:
        raise Rejected("corrupt_document", detail=f"it is no sound {_NAMES[kind]}") from error
    if kind in _SHEETS:
        return list(_sheets(found)) or [""]
    if kind is Kind.PPTX:
        return found.content.split(_BREAK)[1:] or [found.content]
    return [found.content]


def _configuration() -> kreuzberg.ExtractionConfig:
    return kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,  # it rewrites what it takes for mistakes
        disable_ocr=True,  # type: ignore[call-arg]  # its stubs lack it
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
        pages=kreuzberg.PageConfig(insert_page_markers=True, marker_format=f"\n\n{_BREAK}\n\n"),
    )


def _sheets(found: kreuzberg.ExtractionResult) -> Iterator[str]:
    """Each sheet under its name, a row a line, cells parted by tabs; a sheet without cells is a blank page."""
    tables = {number: list(several) for number, several in groupby(found.tables, key=lambda table: table.page_number)}
    names: Sequence[str] = found.metadata.get("sheet_names") or ()
    for number, name in enumerate(names, start=1):
        rows = [_row(row) for table in tables.get(number, ()) for row in table.cells]
        yield "\n".join([name, "", *rows]).rstrip() if any(rows) else ""


def _row(cells: Sequence[str]) -> str:
    return "\t".join(_MIDNIGHT.sub(r"\1", cell.strip()) for cell in cells).rstrip()
