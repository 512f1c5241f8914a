"""The results of the stages, as models: what the blob store keeps, the gateway answers, and every reader reads.

Stages build plain dictionaries of these shapes, since a table holds ten thousands of findings and a page thousands of
words; tests hold the dictionaries to the models, field by field. Readers validate once, where a result comes in.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Confidence = float  # 0..1
Percent = float  # 0..100


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Word(_Result):
    """A word of a page. `box` is x0, y0, x1, y1 from the top left, in the unit of the page's size."""

    text: str
    box: tuple[float, float, float, float]
    confidence: Percent | None = None  # None where the text layer said it


class Page(_Result):
    """One page as it was read. `width` and `height` are in points for a PDF, in pixels for an image."""

    page: int = Field(ge=1)
    text: str
    source: Literal["ocr", "text_layer"]
    confidence: Percent | None
    width: float | None
    height: float | None
    words: list[Word]


class TextPage(_Result):
    """Where a page stands in the text of its document: `start` and `end` count characters."""

    page: int = Field(ge=1)
    start: int
    end: int
    source: Literal["ocr", "text_layer"] | None
    confidence: Percent | None
    width: float | None
    height: float | None
    status: Literal["done", "failed"]


class RecognizedText(_Result):
    """The result of the stage `ocr`: the text of the whole document, and its pages."""

    text: str
    pages: list[TextPage]


class Chunk(_Result):
    """A part of the text that can be searched: `text[start:end]` on the pages `pages[0]` to `pages[1]`."""

    index: int
    text: str
    pages: tuple[int, int]
    start: int
    end: int
    heading_path: list[str]  # from the outermost heading to the innermost


class StoredChunk(Chunk):
    """A chunk as the stage `chunk` stores it, with its vector: little-endian float32 values in base64."""

    vector: str | None  # None where it could not be computed; the chunk is found by its words


class ChunkList(_Result):
    """The result of the stage `chunk`."""

    chunks: list[StoredChunk]
    model: str
    dimensions: int


class Finding(_Result):
    """One value that is printed in the document, at `text[start:end]`.

    `value` is as printed; `normalized` is an ISO date, a plain decimal with a dot, an E.164 number, and so on.
    """

    field: str
    value: str
    normalized: str
    start: int
    end: int
    confidence: Confidence
    method: str
    page: int  # 0 where it is not known
    currency: str | None = None  # ISO 4217; of amounts only


class Warning(_Result):
    """What a reader of an extraction must know: a stable `code`, and a sentence in English."""

    code: str
    text: str


class Extraction(_Result):
    """The result of the stage `extract`."""

    document_type: str
    language: str  # ISO 639-1, `und` where it is not known
    title: str | None
    summary: str
    keywords: list[str]
    findings: list[Finding]
    warnings: list[Warning]
