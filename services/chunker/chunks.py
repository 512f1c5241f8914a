"""Text cut into chunks: whole sentences, whole paragraphs where they fit, with the pages they stand on."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Final

from services.chunker.headings import Heading
from services.chunker.units import Limits, Page, Unit, units

_HALF_FULL: Final = 0.5  # from here on a paragraph's end is a better end than room for another sentence
_TINY: Final = 0.25  # a section that fills less of a chunk shares it with the next one


@dataclass(frozen=True, slots=True)
class Chunk:
    """text[start:end], beginning and ending with a character that is not whitespace.

    `pages` is the first and last page it touches; `heading_path` the headings, outer to inner, above all of it.
    """

    index: int
    start: int
    end: int
    pages: tuple[int, int]
    heading_path: tuple[str, ...]


def cut(text: str, pages: Sequence[Page], limits: Limits) -> list[Chunk]:
    """The chunks of `text`: in order, not overlapping, holding every character that is not whitespace.

    A chunk ends at a paragraph's end where that leaves it at least half full, else at a sentence's. It does not end
    with a heading, and a new section begins a new chunk unless the one before would be tiny. `pages` are in order.
    """
    parts = units(text, pages, limits)
    paths = list(_paths(parts))
    filled = [page for page in pages if page.end > page.start]
    return [
        Chunk(
            index,
            start := parts[first].start,
            end := parts[after - 1].end,
            _pages(filled, start, end),
            _common_path(parts[first:after], paths[first:after]),
        )
        for index, (first, after) in enumerate(_Packing(parts, limits).runs())
    ]


class _Packing:
    """Runs of units, each one a chunk; a run is parts[first:after]."""

    def __init__(self, parts: Sequence[Unit], limits: Limits) -> None:
        self._parts = parts
        self._limits = limits
        self._tokens = [0, *accumulate(unit.tokens for unit in parts)]

    def runs(self) -> Iterator[tuple[int, int]]:
        first = 0
        while first < len(self._parts):
            after = self._end(first)
            yield first, after
            first = after

    def _end(self, first: int) -> int:
        parts, after = self._parts, first + 1
        while after < len(parts) and self._fill(first, after + 1) <= 1:
            if self._begins_section(after) and self._fill(first, after) >= _TINY:
                return after
            after += 1
        if after == len(parts) or self._begins_section(after):
            return after
        return self._without_headings(first, self._paragraph_end(first, after))

    def _fill(self, first: int, after: int) -> float:
        """How full the run makes a chunk: 1 is the limit."""
        characters = self._parts[after - 1].end - self._parts[first].start
        tokens = self._tokens[after] - self._tokens[first]
        return max(characters / self._limits.characters, tokens / self._limits.tokens)

    def _begins_section(self, number: int) -> bool:
        return self._parts[number].heading is not None and self._parts[number - 1].heading is None

    def _paragraph_end(self, first: int, after: int) -> int:
        """The last end of a paragraph in the run that leaves the chunk half full, else `after`."""
        last = after
        while last > first and self._fill(first, last) >= _HALF_FULL:
            if self._parts[last - 1].closes:
                return last
            last -= 1
        return after

    def _without_headings(self, first: int, after: int) -> int:
        while after > first + 1 and self._parts[after - 1].heading:
            after -= 1
        return after


def _paths(parts: Sequence[Unit]) -> Iterator[tuple[str, ...]]:
    """For each unit the headings above it, outer to inner."""
    above: list[Heading] = []
    for unit in parts:
        if unit.heading:
            while above and above[-1].rank >= unit.heading.rank:
                above.pop()
            above.append(unit.heading)
        yield tuple(entry.title for entry in above)


def _common_path(parts: Sequence[Unit], paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    bodies = [path for unit, path in zip(parts, paths, strict=True) if not unit.heading]
    levels = zip(*(bodies or [paths[-1]]), strict=False)  # the shortest path ends them
    return tuple(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))


def _pages(filled: Sequence[Page], start: int, end: int) -> tuple[int, int]:
    """The first and last page of text[start:end]; (1, 1) for a text without pages."""
    if not filled:
        return 1, 1
    first, last = (bisect_right(filled, offset, key=lambda page: page.start) - 1 for offset in (start, end - 1))
    return filled[max(first, 0)].page, filled[max(last, 0)].page
