"""Documents of every kind: how each is taken apart, and read again slice by slice; attachments are further pages."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PIL import Image

from services.ocr.formats import (
    images,
    mail,
    opendocument,
    pdf,
    plain_text,
    web_page,
    wordprocessing,
    zip_containers,
)
from services.ocr.formats.markup import check_depth
from services.ocr.formats.sniffing import kind_of
from services.ocr.limits import bounded, check_pages
from services.ocr.pages import TEXT_PAGE_SECONDS
from services.ocr.recognition.reading import Reader
from services.ocr.settings import OcrSettings
from shared.errors import Rejected
from shared.harness.contract import Result, Slice, Task
from shared.media_types import Kind

_MAX_NESTED: Final = 3  # mails within mails as files; a mail forwarded as such counts as one with its envelope


def sliced(task: Task, settings: OcrSettings, depth: int = 0) -> tuple[Slice, ...]:
    """The slices of a document and of what is attached to it, pages numbered through.

    Raises Rejected: empty_file, unsupported_type, encrypted, corrupt_…, too_large, too_many_pages.
    """
    kind = kind_of(task.source)
    match kind:
        case Kind.PDF:
            return pdf.sliced(task, kind, settings)
        case Kind.MAIL:
            return _mail_sliced(task, settings, depth)
        case _ if kind in images.FORMATS:
            return images.sliced(task, kind, settings)
        case _:
            return _text_sliced(kind, len(_texts(task.source, kind, settings)))


def read(task: Task, slice_: Slice, settings: OcrSettings, reader: Reader) -> list[Result]:
    """The pages of one slice. Raises Rejected and Transient as the readers of its kind do."""
    if slice_.args.get("attached"):
        with _attached(task, slice_, settings) as (inner, own, before):
            return [{**page, "page": page["page"] + before} for page in read(inner, own, settings, reader)]
    kind = Kind(slice_.args["kind"])
    match kind:
        case Kind.PDF:
            return pdf.read(task, slice_, settings, reader)
        case _ if kind in images.FORMATS:
            return images.read(task, slice_, settings, reader)
        case Kind.MAIL:
            texts = _mail_pages(mail.opened(task.source, settings.max_mail_bytes), slice_.args["unread"])
        case _:
            texts = _texts(task.source, kind, settings)
    return [plain_text.page(number, text) for number, text in enumerate(texts, start=1)]


def picture(task: Task, slice_: Slice, settings: OcrSettings, width: int) -> Image.Image:
    """The page of a slice that is one page, as it looks, at most `width` pixels wide.

    It is what the boxes of the page's words were measured on: the same way up, of the same proportions.
    Raises Rejected: no_image for a page that is text, else as the readers of its kind do.
    """
    if slice_.args.get("attached"):
        with _attached(task, slice_, settings) as (inner, own, _):
            return picture(inner, own, settings, width)
    match Kind(slice_.args["kind"]):
        case Kind.PDF:
            return pdf.picture(task, slice_, width)
        case kind if kind in images.FORMATS:
            return images.picture(task, slice_, settings, width)
        case _:
            raise Rejected("no_image")


def check_count(slices: Sequence[Slice], settings: OcrSettings) -> int:
    """How many pages there are. Raises Rejected: too_many_pages."""
    count = max(slice_.pages[1] for slice_ in slices if slice_.pages)
    check_pages(count, settings.max_pages)
    return count


# ---- documents that are text


def _texts(source: Path, kind: Kind, settings: OcrSettings) -> list[str]:
    """The pages of a document that needs no recognising."""
    match kind:
        case Kind.TEXT:
            texts = plain_text.decoded(_bounded(source, settings))
        case Kind.HTML:
            texts = [web_page.text_of(web_page.decoded(_bounded(source, settings)))]
        case Kind.ODT | Kind.ODS | Kind.ODP:
            texts = opendocument.pages(zip_containers.copied(source, settings.max_unpacked_bytes))
        case Kind.DOCX:
            texts = wordprocessing.pages(zip_containers.copied(source, settings.max_unpacked_bytes))
        case _:
            texts = _office(source, kind, settings)
    return plain_text.paged(texts)


def _office(source: Path, kind: Kind, settings: OcrSettings) -> list[str]:
    from services.ocr.formats import kreuzberg  # noqa: PLC0415  a child that never meets such a file need not hold the library

    if kind in (Kind.RTF, Kind.XLS):
        return kreuzberg.read(_bounded(source, settings), kind)
    if kind is Kind.PPTX:
        return kreuzberg.read(zip_containers.copied(source, settings.max_unpacked_bytes, check_depth), kind)
    return kreuzberg.read(zip_containers.copied(source, settings.max_unpacked_bytes), kind)


def _bounded(source: Path, settings: OcrSettings) -> bytes:
    return bounded(source, settings.max_text_bytes, what="The text", setting="PAGESTREAM_OCR_MAX_TEXT_BYTES")


def _text_sliced(kind: Kind, count: int, **args: Any) -> tuple[Slice, ...]:
    """One slice: reading a part of such a document costs as much as reading all of it."""
    about = {"kind": kind, "source": "text_layer", **args}
    return (Slice(weight=TEXT_PAGE_SECONDS * count, pages=(1, count), args=about),)


# ---- e-mail


def _mail_sliced(task: Task, settings: OcrSettings, depth: int) -> tuple[Slice, ...]:
    message = mail.opened(task.source, settings.max_mail_bytes)
    unread: dict[str, str] = {}  # by the number of the attachment: why
    attached: list[tuple[int, tuple[Slice, ...]]] = []
    for number, attachment in enumerate(message.attachments):
        try:
            attached.append((number, _attachment_sliced(task, attachment, settings, number, depth)))
        except Rejected as refusal:
            unread[str(number)] = str(refusal)
    count = len(_mail_pages(message, unread))
    whole = list(_text_sliced(Kind.MAIL, count, unread=unread))
    for number, slices in attached:
        before = whole[-1].pages[1] if whole[-1].pages else 0
        whole += [_moved(slice_, number, before) for slice_ in slices]
    return tuple(whole)


def _attachment_sliced(
    task: Task, attachment: mail.Attachment, settings: OcrSettings, number: int, depth: int
) -> tuple[Slice, ...]:
    if number >= settings.max_attachments:
        facts = {"what": "The number of attachments", "got": f"more than {settings.max_attachments}"}
        raise Rejected("too_large", **facts, limit=settings.max_attachments, setting="PAGESTREAM_OCR_MAX_ATTACHMENTS")
    if depth >= _MAX_NESTED:
        raise Rejected("corrupt_document", detail="e-mails are nested too deeply")
    with _written(task, attachment) as inner:
        return sliced(inner, settings, depth + 1)


@contextmanager
def _written(task: Task, attachment: mail.Attachment) -> Iterator[Task]:
    """The task of reading an attachment, which becomes a file of its own for as long as that takes."""
    with tempfile.NamedTemporaryFile(dir=task.workdir) as file:
        file.write(attachment.data)
        file.flush()
        yield replace(task, source=Path(file.name))


def _moved(slice_: Slice, number: int, before: int) -> Slice:
    """A slice of an attachment among those of the mail: `attached` is the way to it, `before` the pages before it."""
    first, last = slice_.pages or (1, 1)
    way = {"attached": [number, *slice_.args.get("attached", [])], "before": [before, *slice_.args.get("before", [])]}
    return slice_.model_copy(update={"pages": (first + before, last + before), "args": {**slice_.args, **way}})


@contextmanager
def _attached(task: Task, slice_: Slice, settings: OcrSettings) -> Iterator[tuple[Task, Slice, int]]:
    """The attachment that a slice is about as a task, the slice as its own, and how many pages stand before it."""
    (number, *way), (before, *befores) = slice_.args["attached"], slice_.args["before"]
    attachment = mail.opened(task.source, settings.max_mail_bytes).attachments[number]
    first, last = slice_.pages or (1, 1)
    args = {**slice_.args, "attached": way, "before": befores}
    own = slice_.model_copy(update={"pages": (first - before, last - before), "args": args})
    with _written(task, attachment) as inner:
        yield inner, own, before


def _mail_pages(message: mail.Mail, unread: dict[str, str]) -> list[str]:
    """The text of the mail itself; it names each attachment, with the reason where one was not read."""
    named = [
        f"Attachment: {attachment.name}" + (f" (not read: {unread[str(number)]})" if str(number) in unread else "")
        for number, attachment in enumerate(message.attachments)
    ]
    head = "\n".join(part for part in (message.headers, *named) if part)
    return plain_text.paged(["\n\n".join(part for part in (head, message.text) if part)])
