"""Which lines are headings, as well as the text alone can tell."""

import re
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 90  # characters; a longer line is text
_MARKDOWN: Final = re.compile(r"(?P<depth>#{1,6})\s+(?P<title>\S.*)")
_DIVISION: Final = re.compile(
    r"(?:chapter|section|article|part|appendix|annex|schedule|exhibit|kapitel|abschnitt|artikel|teil|anhang|anlage"
    r"|chapitre|partie|titre|annexe|capítulo|sección|artículo|anexo|capitolo|articolo|sezione|§)"
    r"\s*(?:\d+|[IVXLC]+|[A-Z])\b(?P<rest>.*)"
    r"|第\s*[\d一二三四五六七八九十百千]+\s*[章节節条條編编部篇](?P<rest_cjk>.*)",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(
    r"(?P<number>\d{1,2}(?:\.\d{1,3}){0,4}(?:[.)]|(?=\s))|[IVX]{1,5}[.)]|[A-H][.)])\s+(?P<title>[^\W\d_].*)"
)
# Lines of a table of contents, dates, addresses, and the beginnings of prose.
_NO_TITLE: Final = re.compile(r"\.{3}|(?:\s\.){3}|\s[\d.,]+$|\d{4}|[@|_=]|://|[.,;:!]$")
# Ranks; a Markdown heading has its depth (1 to 6), a numbered one _NUMBER plus the count of its numbers.
_CAPITALS: Final = 10
_DIVIDES: Final = 20
_NUMBER: Final = 30
_TITLE: Final = 40


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; one of a lower `rank` stands above those of higher rank that follow it."""

    rank: int
    title: str

    @property
    def weak(self) -> bool:
        """Only its looks speak for it, no mark and no number."""
        return self.rank in (_CAPITALS, _TITLE)


def heading(line: str, *, alone: bool, following: str) -> Heading | None:
    """What `line` (stripped) heads, if it is a heading.

    `alone`: it is a paragraph of its own, else the first line of one. `following` is the next line that is not blank,
    "" at the end of the text: what nothing follows heads nothing.
    """
    if not following or len(line) > _LONGEST:
        return None
    if match := _MARKDOWN.fullmatch(line):
        return Heading(len(match["depth"]), match["title"].rstrip("#").rstrip() or "#")
    if not alone and following[0].islower():
        return None  # the sentence goes on
    rank = _division(line) or _numbered(line, following) or _capitals(line, alone, following)
    if rank is None and alone:
        rank = _title(line, following)
    return None if rank is None else Heading(rank, " ".join(line.split()))


def _division(line: str) -> int | None:
    match = _DIVISION.fullmatch(line)
    if match is None or line[-1] in ",;":
        return None
    rest = (match["rest"] or match["rest_cjk"] or "").lstrip(" .:–—-")
    return None if rest[:1].islower() or rest.endswith((".", "。")) else _DIVIDES


def _numbered(line: str, following: str) -> int | None:
    match = _NUMBERED.fullmatch(line)
    if match is None or match["title"][0].islower() or _NO_TITLE.search(match["title"]):
        return None
    depth = _depth(match)
    sibling = _NUMBERED.match(following)
    return None if sibling and _depth(sibling) == depth else _NUMBER + depth  # followed by its like: an item of a list


def _depth(match: re.Match[str]) -> int:
    return match["number"].rstrip(".)").count(".") + 1


def _capitals(line: str, alone: bool, following: str) -> int | None:
    longest = max((len(word) for word in line.split() if word.isalpha()), default=0)
    if not line.isupper() or longest < 4 or _NO_TITLE.search(line):
        return None
    return _CAPITALS if alone or not following.isupper() else None


def _title(line: str, following: str) -> int | None:
    """A short line in capitalised words above a longer one; the weakest sign, so it ranks innermost."""
    words = line.split()
    if not line[0].isupper() or len(words) > 8 or len(line) < 4 or len(following) < max(40, len(line)):
        return None
    small = [word for word in words if len(word) >= 5 and word[0].islower()]
    return None if len(small) > len(words) // 3 or _NO_TITLE.search(line) else _TITLE
