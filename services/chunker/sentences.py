"""Where sentences end, in many languages, without a model.

A doubtful end is no end: a sentence that is too long costs little, a sentence torn apart cannot be found any more.
"""

import re
from collections.abc import Iterator
from typing import Final

# Marks that end a sentence where whitespace follows (Latin, Arabic, Indic, Armenian, Ethiopic), and those that always
# do. The look-behind and the possessive runs keep a page full of dot leaders linear.
_MARK: Final = re.compile(
    r"""(?<![.!?…؟۔।॥։።])(?P<mark>[.!?…؟۔।॥։።]++)["'“”’»)\]]*+(?=\s)|[。！？｡]++["'”’」』）】]*+"""
)
_NEXT: Final = re.compile(r"""\s*["'“‘„«(\[¿¡]*(?P<first>\S)""")
# A list item starts anew: a bullet always, a dash or a number only after a line that came to some end.
_ITEM: Final = re.compile(
    r"\n(?=[^\S\n]*[•▪‣◦●■*][^\S\n])|(?<=[.!?:;,])\n(?=[^\S\n]*(?:[-–—·]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,5})[.)])[^\S\n])"
)
_DOTTED: Final = re.compile(r"[^\W\d_]{1,2}(?:\.[^\W\d_]{1,2})+")  # e.g, U.S, z.B, Ph.D

_NEVER_LAST: Final = frozenset(
    re.findall(
        r"\S+",
        # English
        "mr mrs ms dr prof rev hon st jr sr gen col sgt capt lt maj gov sen rep pres vs inc ltd co corp dept est "
        "approx viz al ed eds mt ave blvd messrs "
        # German
        "bzw ggf inkl exkl zzgl abzgl evtl vgl sog bspw tel aufl hrsg gem gez hr fr dipl ing geb mind ca str "
        # French, Spanish, Portuguese, Italian, Dutch
        "mm mme mlle cf env éd réf tél av sra srta dra ud uds avda exmo exma sig dott avv bijv dhr mevr",
    )
)
_NOT_BEFORE_NUMBERS: Final = frozenset(
    re.findall(
        r"\S+",
        "no nos nr nrn núm num n° art arts fig figs abb tab eq eqs sec secs ch chap vol vols pp para abs ziff lit bd "
        "pag pág blz op max min jan feb mar apr jun jul aug sep sept oct okt nov dec dez",
    )
)


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of the paragraph text[start:end] as (start, end) offsets into `text`, without outer whitespace.

    They are in order and hold every character that is not whitespace. A line break inside a sentence is only a space.
    """
    first = start
    for cut in sorted({*_ends(text, start, end), *_items(text, start, end), end}):
        part = text[first:cut]
        bare = part.strip()
        if bare:
            offset = first + part.index(bare[0])
            yield offset, offset + len(bare)
        first = cut


def _items(text: str, start: int, end: int) -> Iterator[int]:
    return (match.end() for match in _ITEM.finditer(text, start, end))


def _ends(text: str, start: int, end: int) -> Iterator[int]:
    for match in _MARK.finditer(text, start, end):
        following = _NEXT.match(text, match.end(), end)
        if match["mark"] is None or following is None or _closes(text, start, match, following["first"]):
            yield match.end()


def _closes(text: str, start: int, match: re.Match[str], following: str) -> bool:
    """Whether the mark, with `following` the first character after it, ends its sentence."""
    if following.islower():
        return False
    if match["mark"] != ".":
        return True
    before = text[max(start, match.start() - 24) : match.start()]  # longer than any abbreviation
    word = before.split()[-1].lstrip("\"'“‘„«([") if before[-1:].strip() else ""
    return not _abbreviates(word, following)


def _abbreviates(word: str, following: str) -> bool:
    """Whether the period after `word` belongs to it: an initial, an abbreviation, an ordinal or a list number."""
    if (len(word) == 1 and word.isalpha()) or _DOTTED.fullmatch(word):
        return True
    if word.isdecimal():
        return len(word) <= 2  # "am 3. Oktober", "2. Rent": but "in 1990. The"
    folded = word.lower()
    return folded in _NEVER_LAST or (folded in _NOT_BEFORE_NUMBERS and following.isdecimal())
