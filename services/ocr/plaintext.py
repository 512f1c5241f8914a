"""Plain text: one page, read as it stands."""

from services.ocr.pages import slices
from services.ocr.settings import OcrSettings
from services.ocr.sniffing import ALLOWED, Kind, encoding_of
from services.ocr.textlayer import cleaned
from shared.errors import Rejected
from shared.harness.contract import Result, Slice, Task


def sliced(task: Task, kind: Kind, settings: OcrSettings) -> tuple[Slice, ...]:
    """One slice. Raises Rejected: too_large."""
    size = task.source.stat().st_size
    if size > settings.max_text_bytes:
        limit = f"{settings.max_text_bytes} bytes"
        raise Rejected(
            "too_large", what="The text", got=f"{size} bytes", limit=limit, setting="PAGESTREAM_OCR_MAX_TEXT_BYTES"
        )
    return slices(kind, ["text_layer"])


def read(task: Task) -> list[Result]:
    """The text as page 1; it has no size and its words have no place. Raises Rejected: unsupported_type."""
    data = task.source.read_bytes()
    encoding = encoding_of(data)
    if encoding is None:
        raise Rejected("unsupported_type", found="a file of an unknown kind", allowed=ALLOWED)
    text = cleaned(data.decode(encoding, "replace")).strip("\n")
    nothing: Result = {"confidence": None, "width": None, "height": None, "words": []}
    return [{"page": 1, "text": text, "source": "text_layer", **nothing}]
