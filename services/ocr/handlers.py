"""The OCR stage: which pages there are, what stands on each, and the text of the whole."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.metadata import version
from typing import Final

from PIL import Image

from services.ocr import documents
from services.ocr.pages import Line, concluded
from services.ocr.recognition import preparation
from services.ocr.recognition.engines import chosen_by
from services.ocr.recognition.reading import read_picture
from services.ocr.settings import OcrSettings
from shared.harness.contract import Plan, Result, Slice, Task
from shared.runtime.settings import read

settings: Final = cache(partial(read, OcrSettings))


def plan(task: Task) -> Plan:
    """The slices of a document of any kind this stage reads.

    Raises Rejected: empty_file, unsupported_type, encrypted, corrupt_pdf, corrupt_image, corrupt_document, too_large,
    too_many_pages, language_not_installed. Raises Transient: provider_unavailable.
    """
    chosen = settings()
    chosen_by(chosen).check(_languages(task))
    slices = documents.sliced(task, chosen)
    return Plan(engine=_named(task, chosen), slices=slices, page_count=documents.check_count(slices, chosen))


def work(task: Task, slice_: Slice) -> Result:
    """{"pages": [page, …]} for the pages of one slice.

    Raises Rejected: corrupt_pdf, corrupt_image, too_large, provider_refused. Raises Transient: timeout, crashed,
    provider_unavailable.
    """
    chosen = settings()
    return {"pages": documents.read(task, slice_, chosen, _reader(task, chosen))}


def conclude(task: Task, plan: Plan, results: Sequence[Result | None]) -> Result:
    """The whole text, and where each page stands in it."""
    return concluded(plan, results)


def _named(task: Task, chosen: OcrSettings) -> str:
    """All that shapes a result: the programs, their versions and settings."""
    engine = f"{chosen_by(chosen).identity()} {'+'.join(_languages(task))}"
    limit = f"{chosen.max_render_pixels} pixels"
    return f"{engine}, preparation {preparation.VERSION}, kreuzberg {version('kreuzberg')}, {limit}"


def _languages(task: Task) -> tuple[str, ...]:
    return task.document.languages or tuple(settings().languages.split("+"))


def _reader(task: Task, chosen: OcrSettings) -> Callable[[Image.Image], tuple[Line, ...]]:
    engine, languages = chosen_by(chosen), _languages(task)
    return partial(read_picture, engine=engine.reader(task, languages), second=engine.block_reader(task, languages))
