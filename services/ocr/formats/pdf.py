"""PDFs: which pages have text of their own, and reading those and the others."""

from typing import Final

from PIL import Image

from services.ocr.formats import pdfium
from services.ocr.limits import check_pages
from services.ocr.pages import Line, Source, merged, page, placed, scaled, slices, words_of
from services.ocr.recognition import preparation
from services.ocr.recognition.reading import Reader
from services.ocr.recognition.resolution import scale, shown
from services.ocr.settings import OcrSettings
from services.ocr.text_layer import COVERED, is_text, needs_ocr
from shared.errors import Rejected
from shared.harness.contract import Result, Slice, Task
from shared.media_types import Kind

_COVERING: Final = 0.5  # share under pictures from which a page is a scan, and its picture sets the resolution


def sliced(task: Task, kind: Kind, settings: OcrSettings) -> tuple[Slice, ...]:
    """The slices of a PDF. Raises Rejected: encrypted, corrupt_pdf, too_many_pages."""
    with pdfium.opened(task.source) as document:
        count = len(document)
        check_pages(count, settings.max_pages)
        return slices(kind, [_source(document, number) for number in range(1, count + 1)])


def _source(document: pdfium.Document, number: int) -> Source:
    try:
        with pdfium.page(document, number) as found:
            text = found.text
            coverage = found.pictures()[0] if text else 0.0
            bare = found.bare() if coverage >= COVERED else 0.0
            ocr = needs_ocr(text, objects=found.objects, coverage=coverage, bare=bare)
            return "ocr" if ocr else "text_layer"
    except Rejected:
        return "ocr"  # this page fails by itself when its turn comes, and the others are read


def read(task: Task, slice_: Slice, settings: OcrSettings, reader: Reader) -> list[Result]:
    """The pages of one slice. Raises Rejected: corrupt_pdf, too_large."""
    first, last = slice_.pages or (1, 1)
    results: list[Result] = []
    with pdfium.opened(task.source) as document:
        for done, number in enumerate(range(first, last + 1)):
            task.tick("ocr.reading_page", done / (last - first + 1), page=number)
            with pdfium.page(document, number) as found:
                ocr = slice_.args["source"] == "ocr"
                lines = _recognised(found, number, settings, reader) if ocr else found.lines()
                results.append(page(number, lines, source=slice_.args["source"], size=found.size))
    return results


def picture(task: Task, slice_: Slice, width: int) -> Image.Image:
    """The page of one slice, in colour and at most `width` pixels wide. Raises Rejected: corrupt_pdf."""
    number = (slice_.pages or (1, 1))[0]
    with pdfium.opened(task.source) as document, pdfium.page(document, number) as found:
        across, down = found.size
        if not (across > 0 and down > 0):
            raise Rejected("corrupt_pdf", detail=f"page {number} has no size")
        return found.rendered(shown(across, down, width), colour=True)


def _recognised(found: pdfium.Page, number: int, settings: OcrSettings, reader: Reader) -> tuple[Line, ...]:
    """What the engine reads on the rendered page, and the text layer where it is text: that is blanked before."""
    covered, offered = found.pictures()
    factor = scale(*found.size, offered if covered >= _COVERING else None, settings.max_render_pixels)
    if factor is None:
        width, height = found.size
        limit = f"{settings.max_render_pixels} pixels in all"
        facts = {"what": f"Page {number}", "got": f"{width:.0f} x {height:.0f} points"}
        raise Rejected("too_large", **facts, limit=limit, setting="PAGESTREAM_OCR_MAX_RENDER_PIXELS")
    layer = found.lines() if is_text(found.text) else ()
    exact = (word.box for word in words_of(placed(layer, scaled(factor, factor))))
    read_lines = reader(preparation.blanked(found.rendered(factor), exact))
    return merged(placed(read_lines, scaled(1 / factor, 1 / factor)), layer)
