"""Whether the text a PDF carries is text that a person could read, and text made fit for storage."""

import re
import unicodedata
from collections import Counter
from typing import Final

# Control characters, unpaired surrogates and non-characters: BSON, JSON or a terminal chokes on one or the other.
_UNSTORABLE: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_NEW_LINE: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")

_VOWELS: Final = frozenset("aeiouy")
# The letters that e, a, i, o, n, r, s, t make up: 55-70 % in every larger European language, 31 % by chance.
_FREQUENT: Final = frozenset("eainorst")
_FEW: Final = 4  # letters up to which anything is a code or an abbreviation
_ENOUGH: Final = 40  # letters from which frequencies mean something
_MAX_UNREADABLE: Final = 0.2  # share of visible characters without a meaning
_MIN_WORDLIKE: Final = 0.3  # share of visible characters that are letters or digits
_MIN_VOWELS: Final = 0.15  # of Latin letters; Czech, the poorest measured, has 0.34
_MIN_FREQUENT: Final = 0.4

_SPARSE: Final = 200  # visible characters under which any large picture on the page may hold the real text
COVERED: Final = 0.3  # share of the page from which a picture counts as such


def cleaned(text: str) -> str:
    """`text` without what cannot be stored; every kind of line end becomes a line feed."""
    return _UNSTORABLE.sub("", _NEW_LINE.sub("\n", text))


def is_text(text: str) -> bool:
    """Whether `text`, as a text layer gave it, can be read, in any script.

    Fonts without a mapping give private-use or control characters, or a readable alphabet shifted: those are told by
    characters without a meaning, by too few letters, and in Latin script by vowels and frequent letters missing.
    """
    visible = Counter("".join(text.split()))
    total = visible.total()
    if total == 0:
        return False
    unreadable = sum(count for char, count in visible.items() if _is_unreadable(char))
    wordlike = sum(count for char, count in visible.items() if unicodedata.category(char)[0] in "LMN")
    if unreadable > total * _MAX_UNREADABLE or wordlike < total * _MIN_WORDLIKE:
        return False
    return _is_language(Counter({char: count for char, count in visible.items() if char.isalpha()}))


def needs_ocr(text: str, *, objects: int, coverage: float, bare: float) -> bool:
    """Whether a page must be rendered and read.

    `objects` counts what is drawn on it, `coverage` is the share of it under pictures, `bare` under pictures without a
    word of the text layer on them. A page with nothing on it is blank; few words beside a large picture have the text
    of the page there; beside many words a picture is read unless they are its own.
    """
    if not is_text(text):
        return objects > 0
    return (coverage if len("".join(text.split())) < _SPARSE else bare) >= COVERED


def _is_unreadable(char: str) -> bool:
    return char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs")


def _is_language(letters: Counter[str]) -> bool:
    latin: Counter[str] = Counter()
    for letter, count in letters.items():
        base = unicodedata.normalize("NFD", letter)[0].lower()
        if "a" <= base <= "z":
            latin[base] += count
    total = latin.total()
    if total * 2 < letters.total() or total < _FEW:
        return True  # another script, or numbers
    vowels = sum(latin[vowel] for vowel in _VOWELS)
    if total < _ENOUGH:
        return vowels > 0
    return vowels >= total * _MIN_VOWELS and sum(latin[letter] for letter in _FREQUENT) >= total * _MIN_FREQUENT
