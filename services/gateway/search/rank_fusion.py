"""Which chunks come first, and where in their text the words of a search stand. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

K = TypeVar("K", bound=Any)  # what is ranked; its order settles a tie

_WORD: Final = re.compile(r"\w+")
_DAMPING: Final = 60  # of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)
_MAX_HIGHLIGHTS: Final = 50


def words_of(text: str, *, repeated: bool = False) -> list[str]:
    """The words of a search or of a text, without case and accents; each once, or as often as it stands there."""
    words = [_folded(word) for word in _WORD.findall(text)]
    return words if repeated else list(dict.fromkeys(words))


def fused(rankings: Iterable[Sequence[K]]) -> list[tuple[K, float]]:
    """One ranking of several by reciprocal rank fusion: (id, score), best first; 1.0 is first in every ranking."""
    scores: dict[K, float] = {}
    count = 0
    for ranking in rankings:
        count += 1
        for place, key in enumerate(ranking):
            scores[key] = scores.get(key, 0.0) + (_DAMPING + 1) / (_DAMPING + 1 + place)
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [(key, round(score / count, 6)) for key, score in best]


def highlights(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Where words of the search stand in the text: [start, end) in characters, in order, never as markup."""
    wanted = set(words)
    found = (match.span() for match in _WORD.finditer(text) if _folded(match[0]) in wanted)
    return [span for span, _ in zip(found, range(_MAX_HIGHLIGHTS), strict=False)]


def _folded(word: str) -> str:
    folded = word.casefold()
    if folded.isascii():
        return folded
    return "".join(sign for sign in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(sign))
