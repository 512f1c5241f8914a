"""Words, lines and pages: how they are put together, whichever way they were read."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import Any, Final, Literal

from shared.harness.contract import Plan, Result, Slice

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 from the top left, x0 <= x1 and y0 <= y1
Source = Literal["ocr", "text_layer"]

IMAGE_PAGE_SECONDS: Final = 1.5  # measured: render, prepare and read
TEXT_PAGE_SECONDS: Final = 0.01  # measured: words and boxes of a full page of a book
TEXT_PAGES_PER_SLICE: Final = 32


@dataclass(frozen=True, slots=True)
class Word:
    """A word where it stands; `confidence` is 0..100, None where nothing was guessed."""

    text: str
    box: Box
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Words of one line in reading order; `opens`: a paragraph begins with it."""

    words: tuple[Word, ...]
    opens: bool = False

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def span(self) -> tuple[float, float]:
        """Top and bottom of the line, in the unit of its boxes."""
        return min(word.box[1] for word in self.words), max(word.box[3] for word in self.words)

    @property
    def middle(self) -> float:
        """Half height of the line, in the unit of its boxes."""
        return sum(self.span) / 2


def words_of(lines: Iterable[Line]) -> Iterator[Word]:
    """All words, line by line."""
    return chain.from_iterable(line.words for line in lines)


def text_of(lines: Sequence[Line]) -> str:
    """The text of a page: a line feed between lines, an empty line between paragraphs."""
    return "".join(("\n\n" if line.opens else "\n") * (at > 0) + line.text for at, line in enumerate(lines))


def confidence_of(words: Iterable[Word]) -> float | None:
    """The mean confidence, weighted by letters; None where no word has one."""
    known = [(word.confidence, len(word.text)) for word in words if word.confidence is not None]
    letters = sum(length for _, length in known)
    return sum(confidence * length for confidence, length in known) / letters if letters else None


Move = Callable[[float, float], tuple[float, float]]


def scaled(by_x: float, by_y: float) -> Move:
    """A move that stretches."""
    return lambda x, y: (x * by_x, y * by_y)


def placed(lines: Iterable[Line], move: Move) -> tuple[Line, ...]:
    """The same lines elsewhere: each box becomes the upright box around its moved corners."""

    def around(box: Box) -> Box:
        x0, y0, x1, y1 = box
        xs, ys = zip(*(move(x, y) for x in (x0, x1) for y in (y0, y1)), strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    return tuple(Line(tuple(replace(w, box=around(w.box)) for w in line.words), line.opens) for line in lines)


def merged(read: Sequence[Line], layer: Sequence[Line]) -> tuple[Line, ...]:
    """Both readings of one page: what the engine read, and the lines of the text layer in place of its guesses at them.

    A guess at a word of the layer is a word whose centre lies in that word's box.
    """
    exact = [word.box for word in words_of(layer)]
    guessed = (
        Line(tuple(word for word in line.words if not any(_covers(box, word.box) for box in exact)), line.opens)
        for line in read
    )
    lines = [line for line in guessed if line.words]
    for line in layer:
        at = next((index for index, other in enumerate(lines) if other.middle > line.middle), len(lines))
        lines.insert(at, line)
    return tuple(lines)


def completed(read: Sequence[Line], again: Sequence[Line], sure: float) -> tuple[Line, ...]:
    """A reading with what a second one found where the first found nothing, of confidence `sure` or more.

    It joins the line of the first at whose height it stands, else it is a line of its own.
    """
    seen = [word.box for word in words_of(read)]
    lines = list(read)
    for line in again:
        new = tuple(word for word in line.words if _is_new(word, seen, sure))
        if not new:
            continue
        found = Line(new, line.opens)
        beside = next((at for at, other in enumerate(lines) if _are_level(other, found)), None)
        if beside is not None:
            words = sorted((*lines[beside].words, *new), key=lambda word: word.box[0])
            lines[beside] = replace(lines[beside], words=tuple(words))
        else:
            at = next((at for at, other in enumerate(lines) if other.middle > found.middle), len(lines))
            lines.insert(at, found)
    return tuple(lines)


def _is_new(word: Word, seen: Sequence[Box], sure: float) -> bool:
    if (word.confidence or 0) < sure or not any(char.isalnum() for char in word.text):
        return False
    return not any(_covers(box, word.box) or _covers(word.box, box) for box in seen)


def _are_level(line: Line, other: Line) -> bool:
    """Whether two lines stand at the same height, side by side."""
    (top, bottom), (over, under) = line.span, other.span
    common = min(bottom, under) - max(top, over)
    return common * 2 > max(bottom - top, under - over)


def _covers(outer: Box, inner: Box) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def page(number: int, lines: Sequence[Line], *, source: Source, size: tuple[float, float]) -> Result:
    """A page as it is stored; boxes and `size` (width, height) are in the same unit."""
    words = tuple(words_of(lines))
    return {
        "page": number,
        "text": text_of(lines),
        "source": source,
        "confidence": _rounded(confidence_of(words)),
        "width": round(size[0], 2),
        "height": round(size[1], 2),
        "words": [
            {"text": word.text, "box": [round(edge, 1) for edge in word.box], "confidence": _rounded(word.confidence)}
            for word in words
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def slices(kind: str, sources: Sequence[Source]) -> tuple[Slice, ...]:
    """The slices of a document of `kind`, whose page n is read from `sources[n - 1]`: pages that need OCR one
    by one, pages with text in runs.
    """
    slices: list[Slice] = []
    for source, run in groupby(enumerate(sources, start=1), key=lambda numbered: numbered[1]):
        numbers = [number for number, _ in run]
        longest = 1 if source == "ocr" else TEXT_PAGES_PER_SLICE
        cost = IMAGE_PAGE_SECONDS if source == "ocr" else TEXT_PAGE_SECONDS
        for start in range(0, len(numbers), longest):
            part = numbers[start : start + longest]
            args = {"kind": kind, "source": source}
            slices.append(Slice(weight=cost * len(part), pages=(part[0], part[-1]), args=args))
    return tuple(slices)


def concluded(plan: Plan, results: Sequence[Result | None]) -> Result:
    """The whole text, pages parted by an empty line, and where in it each page stands (offsets in characters)."""
    parts: list[str] = []
    listed: list[dict[str, Any]] = []
    at = 0
    for number, found in _numbered(plan, results):
        text = found["text"] if found else ""
        start = at + 2 if parts and text else at
        if text:
            parts.append(text)
            at = start + len(text)
        listed.append(_listing(number, found, start, at))
    return {"text": "\n\n".join(parts), "pages": listed}


def _numbered(plan: Plan, results: Sequence[Result | None]) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    for slice_, result in zip(plan.slices, results, strict=True):
        first, last = slice_.pages or (1, 1)
        if result is None:
            yield from ((number, None) for number in range(first, last + 1))
        else:
            yield from ((found["page"], found) for found in result["pages"])


def _listing(number: int, found: Mapping[str, Any] | None, start: int, end: int) -> dict[str, Any]:
    about = found or {"source": None, "confidence": None, "width": None, "height": None}
    kept = {name: about[name] for name in ("source", "confidence", "width", "height")}
    return {"page": number, "start": start, "end": end, **kept, "status": "done" if found else "failed"}
