"""A text with pages cut into passages of bounded cost, and a sample of it. Pure."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

RUNNING: Final = 4  # times a line with other digits stands in a sample to be a running head or foot
SAMPLES: Final = 5  # parts of a sample: the beginning, and places spread evenly over the rest
_DIGITS: Final = re.compile(r"\d{1,20}")


@dataclass(frozen=True, slots=True)
class Passage:
    """The text's [start, end), on pages `first` to `last` (1-based, inclusive)."""

    start: int
    end: int
    first: int
    last: int


class Paging:
    """Which page an offset is on. `pages` as OCR concludes them: {"page", "start", "end"}, sorted by start."""

    def __init__(self, pages: Sequence[Mapping[str, Any]]) -> None:
        self._starts = [int(page["start"]) for page in pages]
        self._numbers = [int(page["page"]) for page in pages]

    def page_at(self, offset: int) -> int:
        """The page's number; a text without pages is page 1."""
        index = bisect_right(self._starts, offset) - 1
        return self._numbers[index] if index >= 0 else 1


def cut(text: str, pages: Sequence[Mapping[str, Any]], max_pages: int, max_characters: int) -> list[Passage]:
    """Passages that cover all pages with text, each of at most so many pages and characters.

    They end where pages do; a page longer than a passage is cut at a line's end, else hard.
    """
    passages: list[Passage] = []
    for page in pages:
        start, end, number = int(page["start"]), int(page["end"]), int(page["page"])
        if not text[start:end].strip():
            continue
        last = passages[-1] if passages else None
        if last and number - last.first < max_pages and end - last.start <= max_characters:
            passages[-1] = Passage(last.start, end, last.first, number)
        else:
            passages += [Passage(a, b, number, number) for a, b in _parts(text, start, end, max_characters)]
    return passages


def _parts(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    parts = []
    while end - start > limit:
        line_end = text.rfind("\n", start + limit // 2, start + limit)
        stop = line_end + 1 if line_end > 0 else start + limit
        parts.append((start, stop))
        start = stop
    return [*parts, (start, end)]


def sample(text: str, limit: int) -> str:
    """The text, or of a longer one `limit` characters: its beginning and parts spread over it, cut at spaces."""
    if len(text) <= limit:
        return text
    part = limit // (SAMPLES + 1)
    parts = [text[: 2 * part]]
    for index in range(1, SAMPLES):
        start = 2 * part + (len(text) - 3 * part) * index // (SAMPLES - 1)
        parts.append(text[start : start + part].partition(" ")[2].rpartition(" ")[0])
    return "\n\n".join(parts)


def without_running_lines(text: str) -> str:
    """The text without the lines that come again and again but for their digits: heads, feet, page numbers."""
    lines = text.splitlines()
    masked = [_DIGITS.sub("0", line.strip()) for line in lines]
    counts = Counter(mask for mask in masked if mask)
    return "\n".join(line for line, mask in zip(lines, masked, strict=True) if counts[mask] < RUNNING)
