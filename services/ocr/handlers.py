"""The OCR stage: which pages there are, what stands on each, and the text of the whole."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Final

from PIL import Image

from services.ocr import images, pdf, plaintext, preparation
from services.ocr.engines import chosen_by
from services.ocr.pages import Line, concluded
from services.ocr.reading import read_picture
from services.ocr.settings import OcrSettings
from services.ocr.sniffing import HEAD_BYTES, Kind, sniff
from shared.harness.contract import Plan, Result, Slice, Task
from shared.settings import read

settings: Final = cache(partial(read, OcrSettings))


def plan(task: Task) -> Plan:
    """The pieces of a document of any kind this stage reads.

    Raises Rejected: empty_file, unsupported_type, encrypted, corrupt_pdf, corrupt_image, too_large, too_many_pages,
    language_not_installed. Raises Transient: provider_unavailable.
    """
    chosen = settings()
    with task.source.open("rb") as source:
        kind = sniff(source.read(HEAD_BYTES))
    engine = chosen_by(chosen)
    engine.check(_languages(task))
    match kind:
        case Kind.PDF:
            slices = pdf.sliced(task, kind, chosen)
        case Kind.TEXT:
            slices = plaintext.sliced(task, kind, chosen)
        case _:
            slices = images.sliced(task, kind, chosen)
    limit = f"{chosen.max_render_pixels} pixels"
    name = f"{engine.identity()} {'+'.join(_languages(task))}, preparation {preparation.VERSION}, {limit}"
    return Plan(engine=name, slices=slices, page_count=max(piece.pages[1] for piece in slices if piece.pages))


def work(task: Task, piece: Slice) -> Result:
    """{"pages": [page, …]} for the pages of one slice.

    Raises Rejected: corrupt_pdf, corrupt_image, too_large, provider_refused. Raises Transient: timeout, crashed,
    provider_unavailable.
    """
    chosen = settings()
    match Kind(piece.args["kind"]):
        case Kind.PDF:
            pages = pdf.read(task, piece, chosen, _reader(task, chosen))
        case Kind.TEXT:
            pages = plaintext.read(task)
        case _:
            pages = images.read(task, piece, chosen, _reader(task, chosen))
    return {"pages": pages}


def conclude(task: Task, plan: Plan, results: Sequence[Result | None]) -> Result:
    """The whole text, and where each page stands in it."""
    return concluded(plan, results)


def _languages(task: Task) -> tuple[str, ...]:
    return task.document.languages or tuple(settings().languages.split("+"))


def _reader(task: Task, chosen: OcrSettings) -> Callable[[Image.Image], tuple[Line, ...]]:
    return partial(read_picture, engine=chosen_by(chosen).reader(task, _languages(task)))
