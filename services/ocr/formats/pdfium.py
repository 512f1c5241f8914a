"""PDFium: opening, measuring, rendering, and the words of a text layer with their places.

PDFium is not thread-safe: one process each, never a thread. Every handle is closed in the `with` that opened it.
"""

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import pypdfium2 as pdfium
from PIL import Image
from pypdfium2 import raw

from services.ocr.pages import Box, Line, Word, words_of
from services.ocr.text_layer import cleaned
from shared.errors import Rejected

# PDFium writes one of these for a hyphen at which a line was broken.
_BROKEN_HYPHEN: Final = re.compile("[\x02\ufffe](?=\r\n)")
_TOKEN: Final = re.compile(r"\S+")
_MAX_OBJECTS: Final = 5000  # looked at for pictures; a drawing of millions of strokes is not worth the walk
_MAX_DEPTH: Final = 4  # of forms within forms
_LOGO: Final = 0.01  # share of the page; a picture in strips counts, a logo does not
_UNITS: Final = 1000  # device units per point when asking where things are

Document: TypeAlias = pdfium.PdfDocument


@contextmanager
def opened(path: Path) -> Iterator[Document]:
    """The PDF at `path`. Raises Rejected: encrypted, corrupt_pdf."""
    # not by PdfDocument(path): that never closes the file where it finds no pages
    handle = raw.FPDF_LoadDocument(os.fsencode(path), None)
    if not handle:
        if raw.FPDF_GetLastError() in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise Rejected("encrypted")
        raise Rejected("corrupt_pdf", detail="its structure cannot be read")
    with pdfium.PdfDocument(handle) as document:
        if document.get_formtype() != raw.FORMTYPE_NONE:
            document.init_forms()
        if len(document) < 1:
            raise Rejected("corrupt_pdf", detail="it has no pages")
        yield document


class Page:
    """One page of an open PDF; sizes in points as displayed, boxes from the top left of the displayed page."""

    def __init__(self, page: pdfium.PdfPage, text: pdfium.PdfTextPage) -> None:
        self._page = page
        self._text = text
        self.size: tuple[float, float] = page.get_size()

    @property
    def text(self) -> str:
        """The text of the text layer."""
        return cleaned(self._characters())

    @property
    def objects(self) -> int:
        """How many things are drawn on it."""
        return int(raw.FPDFPage_CountObjects(self._page))

    def _characters(self) -> str:
        """One character per index of PDFium's text, so that a place in the string is a place on the page."""
        count = self._text.count_chars()
        if count <= 0:
            return ""
        text: str = self._text.get_text_range()
        if len(text) != count:  # something was paired or dropped on the way: slower, and exact
            text = "".join(chr(raw.FPDFText_GetUnicode(self._text, index)) for index in range(count))
        return _BROKEN_HYPHEN.sub("-", text)

    def lines(self) -> tuple[Line, ...]:
        """The words of the text layer, line by line in PDFium's reading order."""
        text, locate = self._characters(), self._locator()
        lines: list[Line] = []
        start = 0
        for stretch in text.splitlines(keepends=True):
            words = [
                Word(said, locate(start + token.start(), token.end() - token.start()))
                for token in _TOKEN.finditer(stretch)
                if (said := cleaned(token[0]))
            ]
            start += len(stretch)
            if words:
                lines.append(Line(tuple(words)))
        return tuple(lines)

    def _locator(self) -> Callable[[int, int], Box]:
        """Where `count` characters from `first` stand. Made for many calls: two foreign ones for most words."""
        handle, (a, b, c, d, e, f) = self._text.raw, self._to_display()
        left, top, right, bottom = (ctypes.c_double() for _ in range(4))
        edges = tuple(ctypes.byref(edge) for edge in (left, top, right, bottom))

        def locate(first: int, count: int) -> Box:
            xs: list[float] = []
            ys: list[float] = []
            for index in range(raw.FPDFText_CountRects(handle, first, count)):
                raw.FPDFText_GetRect(handle, index, *edges)
                for x, y in ((left.value, top.value), (right.value, bottom.value)):
                    xs.append(a * x + c * y + e)
                    ys.append(b * x + d * y + f)
            return (min(xs), min(ys), max(xs), max(ys)) if xs else (0.0, 0.0, 0.0, 0.0)

        return locate

    def _to_display(self) -> tuple[float, float, float, float, float, float]:
        """The matrix (a, b, c, d, e, f) from page space to the displayed page, with its rotation and crop box."""
        units = min(_UNITS, (2**31 - 1) / max(*self.size, 1))
        width, height = (max(1, int(side * units)) for side in self.size)
        x, y = ctypes.c_int(), ctypes.c_int()

        def device(at_x: float, at_y: float) -> tuple[float, float]:
            raw.FPDF_PageToDevice(self._page, 0, 0, width, height, 0, at_x, at_y, ctypes.byref(x), ctypes.byref(y))
            return x.value / units, y.value / units

        (e, f), (ax, by), (cx, dy) = device(0, 0), device(100, 0), device(0, 100)
        return (ax - e) / 100, (by - f) / 100, (cx - e) / 100, (dy - f) / 100, e, f

    def pictures(self) -> tuple[float, float | None]:
        """How much of the page lies under pictures (0..1), and their best resolution in pixels per point."""
        covered, offered = 0.0, 0.0
        for (x0, y0, x1, y1), share, pixels in self._pictures():
            covered += share
            if share > _LOGO:
                offered = max(offered, (pixels / max((x1 - x0) * (y1 - y0), 1e-9)) ** 0.5)
        return min(covered, 1.0), offered or None

    def bare(self) -> float:
        """How much of the page (0..1) lies under pictures on which no word of the text layer stands."""
        a, b, c, d, e, f = self._to_display()
        words = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in (word.box for word in words_of(self.lines()))]
        covered = 0.0
        for (left, bottom, right, top), share, _ in self._pictures():
            xs = sorted((a * left + c * bottom + e, a * right + c * top + e))
            ys = sorted((b * left + d * bottom + f, b * right + d * top + f))
            if not any(xs[0] < x < xs[1] and ys[0] < y < ys[1] for x, y in words):
                covered += share
        return min(covered, 1.0)

    def _pictures(self) -> Iterator[tuple[Box, float, int]]:
        """Each picture: left, bottom, right, top in page space, its share of the page (0..1), and its pixels."""
        left, bottom, right, top = self._page.get_bbox()
        area = max((right - left) * (top - bottom), 1e-9)
        for drawn in islice(self._page.get_objects(max_depth=1), _MAX_OBJECTS):
            if pixels := self._pixels(drawn):
                x0, y0, x1, y1 = drawn.get_bounds()
                shown = max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom))
                yield (x0, y0, x1, y1), shown / area, pixels

    def _pixels(self, drawn: pdfium.PdfObject) -> int:
        if drawn.type == raw.FPDF_PAGEOBJ_IMAGE:
            return int(drawn.get_px_size()[0] * drawn.get_px_size()[1])
        if drawn.type != raw.FPDF_PAGEOBJ_FORM:
            return 0
        inner = self._page.get_objects(form=drawn, max_depth=_MAX_DEPTH, level=1)
        images = (part for part in islice(inner, _MAX_OBJECTS) if part.type == raw.FPDF_PAGEOBJ_IMAGE)
        return max((int(image.get_px_size()[0] * image.get_px_size()[1]) for image in images), default=0)

    def rendered(self, scale: float, *, colour: bool = False) -> Image.Image:
        """The page in gray or in colour, `scale` pixels per point."""
        bitmap = self._page.render(scale=scale, grayscale=not colour, rev_byteorder=colour)
        try:
            return Image.fromarray(bitmap.to_numpy().copy())
        finally:
            bitmap.close()


@contextmanager
def page(document: Document, number: int) -> Iterator[Page]:
    """Page `number` (1-based), with what is filled into its forms. Raises Rejected: corrupt_pdf."""
    try:
        loaded = _with_forms(document, number - 1)
        try:
            text = loaded.get_textpage()
            try:
                yield Page(loaded, text)
            finally:
                text.close()
        finally:
            loaded.close()
    except pdfium.PdfiumError as error:
        raise Rejected("corrupt_pdf", detail=f"page {number} cannot be read") from error


def _with_forms(document: Document, index: int) -> pdfium.PdfPage:
    """A page whose annotations and form fields are part of its text: flattened in memory, never on disk."""
    loaded = document[index]
    if document.formenv is None or raw.FPDFPage_GetAnnotCount(loaded) == 0:
        return loaded
    loaded.flatten()
    loaded.close()
    return document[index]
