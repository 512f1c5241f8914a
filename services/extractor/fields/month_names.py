"""Dates with a month's name, by dateparser (its language data is part of the package; no network).

Only whole candidates are parsed: its own search costs 0.36 s a page without languages.
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any, Final

import dateparser
from dateparser.data.languages_info import language_order

version: Final[str] = dateparser.__version__

# "absolute-time" alone: a result never depends on the day it is computed
_SETTINGS: Final[dict[str, Any]] = {
    "STRICT_PARSING": True,
    "PARSERS": ["absolute-time"],
    "DATE_ORDER": "DMY",
    "RETURN_AS_TIMEZONE_AWARE": False,
}
_KNOWN: Final = frozenset(language_order)


@lru_cache(maxsize=4096)
def _parse(text: str, languages: tuple[str, ...]) -> date | None:
    found = dateparser.parse(text, languages=list(languages), settings=_SETTINGS)
    return None if found is None else found.date()


def reader(language: str) -> Callable[[str], date | None]:
    """A function that reads "4. März 2025": in the document's language, or in English; None when it is no date."""
    languages = tuple(dict.fromkeys(code for code in (language, "en") if code in _KNOWN))
    return lambda text: _parse(text, languages)
