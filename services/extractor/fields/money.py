"""Amounts of money in a text: where they stand, which mark is the decimal one, which currency.

Pure. The mark is decided here and not left to price-parser, which reads "10264.158" as ten million.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.extractor.fields.hints import CODES, Hints, currency_of
from services.extractor.findings import Finding

_CURRENCY: Final = (
    rf"(?:US\$|A\$|CA?\$|R\$|[$€£₹₽₩₺₴₪฿¥]|(?:{'|'.join(CODES)})(?![^\W\d_])|zł|Kč|kr\b\.?|S?Fr\.|Rs\b\.?)"
)
# 1 204,50 · 1.204,50 · 1'204.50 · 1,23,456.78 · 10264.158: at most 12 digits before the mark
_NUMBER: Final = re.compile(
    r"(?=\d)(?<![\d_.,/])(?<!\w-)"
    r"(?:\d{1,3}(?:([.,'’ \u00a0\u202f])\d{3})(?:\1\d{3}){0,3}|\d{1,2}(?:,\d\d){1,3},\d{3}|\d{1,12})(?:[.,]\d{1,4})?"
    r"(?![.,'’/:-]?\d|[ ]?%)"
)
_BEFORE: Final = re.compile(
    rf"(?<![^\W\d_])(?P<sign>[-−–]?)(?P<symbol>{_CURRENCY})[ \u00a0\u202f]{{0,2}}(?P<inner>[-−–]?)$"
)
_MINUS: Final = re.compile(r"(?:^|[\s(|)])[-−–]$")
_AFTER: Final = re.compile(rf"[ \u00a0\u202f]{{0,2}}(?P<symbol>{_CURRENCY})(?![ ]?\d)")
NEAR: Final = 8  # characters before a number that a sign and a currency take
SPACED: Final = frozenset(
    {"fr", "sv", "no", "nb", "nn", "fi", "pl", "cs", "sk", "hu", "ru", "uk", "bg", "lt", "lv", "et"}
)
THREE_DECIMALS: Final = frozenset({"KWD", "BHD", "TND", "OMR", "JOD", "IQD", "LYD"})  # ISO 4217's exponent 3
NO_DECIMALS: Final = frozenset({"JPY", "KRW", "CLP", "ISK", "VND", "HUF"})  # exponent 0, or none in use


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount printed at [start, end). `marked`: a currency stands beside it; `exact`: it has decimals."""

    value: str
    decimal: Decimal
    currency: str | None
    start: int
    end: int
    marked: bool
    exact: bool
    certain: bool  # the decimal mark can be read in one way only

    @property
    def plain(self) -> str:
        """The plain decimal with a dot, and with two decimals unless the currency has none or more are printed."""
        if self.currency in NO_DECIMALS and self.decimal == self.decimal.to_integral_value():
            return f"{self.decimal:.0f}"
        exponent = self.decimal.as_tuple().exponent
        return f"{self.decimal:.2f}" if isinstance(exponent, int) and exponent > -2 else f"{self.decimal:f}"

    def found_as(self, field: str, confidence: float, method: str) -> Finding:
        """The finding of this amount as `field`; less sure when its decimal mark could be read in two ways."""
        sure = confidence if self.certain else confidence * 0.7
        return Finding(field, self.value, self.plain, self.start, self.end, round(sure, 3), method, self.currency)


def find_amounts(text: str, hints: Hints) -> Iterator[Amount]:
    """Every number that may be an amount, in order; those without a currency beside take the document's."""
    for match in _NUMBER.finditer(text):
        before = _BEFORE.search(text[max(0, match.start() - NEAR) : match.start()])
        after = None if before else _AFTER.match(text, match.end())
        in_word = text[match.start() - 1 : match.start()].isalpha() or text[match.end() : match.end() + 1].isalnum()
        if before or after or not in_word:
            yield _amount(match, before, after, hints)


def _amount(match: re.Match[str], before: re.Match[str] | None, after: re.Match[str] | None, hints: Hints) -> Amount:
    text, number, start = match.string, match.group(), match.start()
    symbol = (before or after or {"symbol": None})["symbol"]
    minus = bool(before and (before["sign"] or before["inner"]))
    if before:
        start -= len(before.group())
    elif " " in number and not (symbol or hints.language in SPACED):  # "2 150.00" is a quantity and a price
        start += number.rindex(" ") + 1
        number = number[number.rindex(" ") + 1 :]
    elif _MINUS.search(text[max(0, start - 2) : start]):
        start, minus = start - 1, True
    currency = (currency_of(symbol, hints.region) if symbol else None) or hints.currency
    mark, certain = decimal_mark(number, hints, currency)
    decimal = Decimal("".join("." if c == mark else c for c in number if c.isdigit() or c == mark))
    end = after.end() if after else match.end()
    exact = mark in number
    return Amount(text[start:end], -decimal if minus else decimal, currency, start, end, bool(symbol), exact, certain)


def decimal_mark(number: str, hints: Hints, currency: str | None) -> tuple[str, bool]:
    """(the decimal mark of a printed number, can it be read in one way only?)

    The mark that stands last and once is it; a single mark before three digits is the one that is open:
    grouping, unless the document's own mark is that one.
    """
    dots, commas = number.count("."), number.count(",")
    if dots and commas:
        last = "." if number.rindex(".") > number.rindex(",") else ","
        return last, True
    if dots + commas != 1:
        return ("," if dots else "."), True
    mark = "." if dots else ","
    whole, decimals = number.split(mark)
    grouped = any(not character.isdigit() for character in whole)
    if len(decimals) != 3 or len(whole) > 3 or whole.startswith("0") or grouped:
        return mark, True
    if currency in THREE_DECIMALS:
        return mark, True
    other = "," if mark == "." else "."
    return (mark, False) if hints.decimal == mark and currency is None else (other, hints.decimal == other)
