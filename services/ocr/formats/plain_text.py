"""Documents that are text: brought to pages, and read as they stand. No page has a size, and no word a place."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from services.ocr.text_layer import cleaned
from shared.harness.contract import Result
from shared.media_types import encoding_of, unsupported

# Characters of a page that nothing parted: five printed pages. More would be slow to look at, and less would tear apart
# what belongs together.
_LONGEST: Final = 10_000
_SEAMS: Final = ("\n\n", "\n", " ")  # where a longer text is best cut
_FORM_FEED: Final = re.compile("\r?\f")


def decoded(data: bytes) -> list[str]:
    """Plain text, parted at its form feeds. Raises Rejected: unsupported_type."""
    encoding = encoding_of(data)
    if encoding is None:
        raise unsupported("a file of an unknown kind")
    return _FORM_FEED.split(data.decode(encoding, "replace").rstrip("\f\r\n "))


def paged(texts: Iterable[str]) -> list[str]:
    """The pages of a document: each text one, or several where it is long; fit for storage."""
    return [page for text in texts for page in _cut(cleaned(text).strip("\n"))]


def _cut(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > _LONGEST:
        end = start + _LONGEST
        seams = (text.rfind(seam, start + _LONGEST // 2, end) for seam in _SEAMS)
        cut = next((seam for seam in seams if seam > 0), end)
        yield text[start:cut]
        start = cut + len(text[cut:end]) - len(text[cut:end].lstrip())
    yield text[start:]


def page(number: int, text: str) -> Result:
    """A page of text as it is stored."""
    nothing: Result = {"confidence": None, "width": None, "height": None, "words": []}
    return {"page": number, "text": text, "source": "text_layer", **nothing}
