"""Text taken apart into units: headings, sentences, and parts of sentences that are beyond the limits."""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Final, NamedTuple

from services.chunker.headings import Heading, heading
from services.chunker.sentences import sentences

# Roughly one word piece of all-MiniLM-L6-v2 a match. Against its tokenizer: 0.7 (German) to 1.2 (English prose, Hindi),
# 1.0 for Chinese, Arabic, Russian, and for invoices full of figures.
_TOKEN: Final = re.compile(r"[A-Za-z]{1,5}|\d{1,2}|\S")
_BLANK: Final = re.compile(r"\n\s*\n")
_LINE: Final = re.compile(r"\s*(.*)")
_CLAUSE: Final = re.compile(r"[,;:،؛–—]\s+|[、，；：]")
_SPACE: Final = re.compile(r"\s+")
_RUNNING: Final = 3  # a heading seen so often is the running header of the pages


class Page(NamedTuple):
    """A page and the part of the text that stands on it: text[start:end]."""

    page: int
    start: int
    end: int


class Limits(NamedTuple):
    """What a chunk may hold at most; `tokens` as `count_tokens` estimates them."""

    characters: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Unit:
    """text[start:end], never taken apart any further; `closes` its paragraph or not."""

    start: int
    end: int
    tokens: int
    closes: bool
    heading: Heading | None = None


def count_tokens(text: str, start: int, end: int) -> int:
    """About how many tokens text[start:end] is to the model, without the two it adds."""
    return len(_TOKEN.findall(text, start, end))


def units(text: str, pages: Sequence[Page], limits: Limits) -> list[Unit]:
    """The units of `text`: in order, each within the limits, holding every character that is not whitespace."""
    return _credible([unit for start, end in _paragraphs(text, pages) for unit in _paragraph(text, start, end, limits)])


def _paragraph(text: str, start: int, end: int, limits: Limits) -> Iterator[Unit]:
    found, line_end = _heading(text, start, end)
    if found and _fits(text, start, line_end, limits):
        yield Unit(start, line_end, count_tokens(text, start, line_end), line_end == end, found)
        start = line_end
    for first, last in sentences(text, start, end):
        for begin, stop in _parts(text, first, last, limits):
            yield Unit(begin, stop, count_tokens(text, begin, stop), stop == end)


def _paragraphs(text: str, pages: Sequence[Page]) -> Iterator[tuple[int, int]]:
    """Spans between blank lines, without outer whitespace; a sentence that runs on over a page break keeps them one."""
    starts = [page.start for page in pages]
    begin = end = 0
    for first, last in _blocks(text):
        turned = bisect_right(starts, first) > bisect_right(starts, max(end - 1, 0))
        if end and turned and text[first].islower() and (text[end - 1].isalnum() or text[end - 1] in ",-"):
            end = last
            continue
        if end:
            yield begin, end
        begin, end = first, last
    if end:
        yield begin, end


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    cuts = [0, *(match.end() for match in _BLANK.finditer(text)), len(text)]
    for first, last in pairwise(cuts):
        block = text[first:last]
        bare = block.strip()
        if bare:
            start = first + block.index(bare[0])
            yield start, start + len(bare)


def _heading(text: str, start: int, end: int) -> tuple[Heading | None, int]:
    """The heading that the paragraph's first line is, if any, and where that line ends."""
    break_at = text.find("\n", start, end)
    line = text[start : end if break_at < 0 else break_at].rstrip()
    following = _LINE.match(text, start + len(line))
    found = heading(line, alone=break_at < 0, following=following[1] if following else "")
    return found, start + len(line)


def _fits(text: str, start: int, end: int, limits: Limits) -> bool:
    return end - start <= limits.characters and count_tokens(text, start, end) <= limits.tokens


def _parts(text: str, start: int, end: int, limits: Limits) -> Iterator[tuple[int, int]]:
    """The sentence text[start:end] whole if it fits, else in parts.

    Parts are at most half as large as the limits allow: a heading then still fits before the first one.
    """
    if _fits(text, start, end, limits):
        yield start, end
        return
    half = Limits(max(1, limits.characters // 2), max(1, limits.tokens // 2))
    while not _fits(text, start, end, half):
        window = min(start + half.characters, end)
        beyond = next(islice(_TOKEN.finditer(text, start, window), half.tokens, None), None)
        stop = _tear(text, start, window if beyond is None else beyond.start())
        yield start, start + len(text[start:stop].rstrip())
        space = _SPACE.match(text, stop, end)
        start = space.end() if space else stop
    yield start, end


def _tear(text: str, start: int, window: int) -> int:
    """Where to tear text[start:window]: the end of a line or clause in its second half, else of a word, or anywhere."""
    half = start + (window - start) // 2
    if (line := text.rfind("\n", half, window)) > half:
        return line
    if clause := max((match.end() for match in _CLAUSE.finditer(text, half, window)), default=0):
        return clause
    if word := max((match.start() for match in _SPACE.finditer(text, start + 1, window + 1)), default=0):
        return word
    marks = window  # a combining mark stays with its letter
    while marks > half + 1 and unicodedata.category(text[marks]).startswith("M"):
        marks -= 1
    return marks


def _credible(found: list[Unit]) -> list[Unit]:
    """Without headings that are none: lines that come back on many pages; weak ones where most of the text is such."""
    titles = Counter(unit.heading.title for unit in found if unit.heading)
    weak = sum(unit.heading is not None and unit.heading.weak for unit in found)
    listing = 3 * weak > 2 * len(found)

    def believed(heading: Heading | None) -> Heading | None:
        if heading is None or titles[heading.title] >= _RUNNING or (listing and heading.weak):
            return None
        return heading

    return [replace(unit, heading=believed(unit.heading)) for unit in found]
