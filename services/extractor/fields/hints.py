"""Hints of the whole document for reading its parts: region, currency, decimal mark, order of dates.

Decided once, in the plan, so that every slice reads "03/04/2025" and "1.204" alike.
"""

import re
from collections import Counter
from typing import Final, Literal

from services.extractor.fields.labels import fold
from shared.harness.contract import Frozen

UNKNOWN_REGION: Final = "ZZ"  # CLDR's code for it


class Hints(Frozen):
    """How to read the document. `language` is ISO 639-1 or "und", `region` ISO 3166-1 alpha-2 or "ZZ".

    `currency` (ISO 4217) is the one printed most. `order_proven`: a printed date (25/12/…) shows the order of all;
    otherwise it is the region's custom.
    """

    language: str = "und"
    region: str = UNKNOWN_REGION
    currency: str | None = None
    decimal: Literal[".", ","] = "."
    day_first: bool = True
    order_proven: bool = False


# "$" and "kr" are left to the region
SYMBOLS: Final = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₴": "UAH", "₪": "ILS", "฿": "THB",
    "¥": "JPY", "US$": "USD", "A$": "AUD", "C$": "CAD", "CA$": "CAD", "R$": "BRL", "zł": "PLN", "Kč": "CZK",
    "Fr.": "CHF", "SFr.": "CHF", "Rs": "INR", "Rs.": "INR",
}  # fmt: skip
CODES: Final = (
    "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF",
    "RON", "BGN", "TRY", "RUB", "UAH", "ILS", "BRL", "MXN", "ARS", "CLP", "COP", "ZAR", "KRW", "SGD", "HKD", "THB",
    "AED", "SAR", "KWD", "BHD", "TND", "EGP", "NGN", "KES", "ISK",
)  # fmt: skip
DOLLARS: Final = {"US": "USD", "CA": "CAD", "AU": "AUD", "NZ": "NZD", "SG": "SGD", "HK": "HKD", "MX": "MXN"}
KRONOR: Final = {"SE": "SEK", "NO": "NOK", "DK": "DKK", "IS": "ISK"}

COUNTRIES: Final = {
    "united states": "US", "usa": "US", "u.s.a.": "US", "united kingdom": "GB", "great britain": "GB", "england": "GB",
    "scotland": "GB", "wales": "GB", "germany": "DE", "deutschland": "DE", "france": "FR", "austria": "AT",
    "osterreich": "AT", "switzerland": "CH", "schweiz": "CH", "suisse": "CH", "spain": "ES", "espana": "ES",
    "italy": "IT", "italia": "IT", "netherlands": "NL", "nederland": "NL", "belgium": "BE", "belgique": "BE",
    "belgie": "BE", "canada": "CA", "australia": "AU", "new zealand": "NZ", "ireland": "IE", "india": "IN",
    "sweden": "SE", "sverige": "SE", "norway": "NO", "norge": "NO", "denmark": "DK", "danmark": "DK", "poland": "PL",
    "polska": "PL", "portugal": "PT", "brasil": "BR", "brazil": "BR", "mexico": "MX", "singapore": "SG",
    "south africa": "ZA", "japan": "JP",
}  # fmt: skip
CURRENCY_REGION: Final = {
    "USD": "US", "GBP": "GB", "CHF": "CH", "JPY": "JP", "INR": "IN", "CAD": "CA", "AUD": "AU", "NZD": "NZ",
    "SEK": "SE", "NOK": "NO", "DKK": "DK", "PLN": "PL", "CZK": "CZ", "BRL": "BR", "ZAR": "ZA", "SGD": "SG",
}  # fmt: skip
LANGUAGE_REGION: Final = {
    "de": "DE", "fr": "FR", "es": "ES", "it": "IT", "nl": "NL", "pt": "PT", "sv": "SE", "da": "DK", "no": "NO",
    "nb": "NO", "pl": "PL", "cs": "CZ", "fi": "FI", "ja": "JP",
}  # fmt: skip
CALLING_CODES: Final = {
    "1": "US", "44": "GB", "49": "DE", "33": "FR", "43": "AT", "41": "CH", "34": "ES", "39": "IT", "31": "NL",
    "32": "BE", "61": "AU", "64": "NZ", "353": "IE", "91": "IN", "46": "SE", "47": "NO", "45": "DK", "48": "PL",
}  # fmt: skip
MONTH_FIRST: Final = frozenset({"US", "PH"})
COMMA_LANGUAGES: Final = frozenset(
    {"de", "fr", "es", "it", "nl", "pt", "sv", "da", "no", "nb", "nn", "fi", "pl", "cs", "sk", "hu", "ro", "ru", "tr"}
)

_COUNTRY: Final = re.compile(rf"\b(?:{'|'.join(map(re.escape, COUNTRIES))})\b", re.IGNORECASE)
_STATES: Final = (
    "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]"
)
_ZIP: Final = re.compile(rf"\b(?:{_STATES}),? \d{{5}}(?:-\d{{4}})?\b")
_POSTCODE: Final = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b")
_CALLING: Final = re.compile(rf"\+(?:{'|'.join(sorted(CALLING_CODES, key=len, reverse=True))})(?=[ ()\d-])")
_DOMAIN: Final = re.compile(r"[a-z0-9]\.(?:co\.)?(uk|de|fr|at|ch|es|it|nl|be|au|nz|ie|ca|se|no|dk|pl)\b")
_CURRENCY: Final = re.compile(
    rf"US\$|A\$|CA?\$|R\$|[$€£₹₽₩₺₴₪฿¥]|\b(?:{'|'.join(CODES)})\b|(?<=\d )(?:kr|zł|Kč)\b|\bS?Fr\.(?= ?\d)"
)
_NUMERIC_DATE: Final = re.compile(r"(?<![\w./-])(\d{1,2})([/-])(\d{1,2})\2(?:\d{4}|\d\d)(?![\w]|[./-]\d)")
_CENTS: Final = re.compile(r"\d([.,])\d\d(?![\d.,]?\d|%)")


def currency_of(symbol: str, region: str) -> str | None:
    """The ISO code of a printed symbol or code; None where the region does not tell which dollar or krone it is."""
    if symbol == "$":
        return DOLLARS.get(region, "USD" if region == UNKNOWN_REGION else None)
    if symbol.rstrip(".").lower() == "kr":
        return KRONOR.get(region)
    return SYMBOLS.get(symbol) or (symbol.upper() if symbol.upper() in CODES else None)


def read_hints(text: str, language: str) -> Hints:
    """The hints of a text (the whole of it, or a sample) that is written in `language`."""
    region = _region(text, language)
    currencies = Counter(currency_of(symbol, region) for symbol in _CURRENCY.findall(text))
    del currencies[None]
    day_first, proven = _order(text, region)
    return Hints(
        language=language,
        region=region,
        currency=max(currencies, key=lambda code: currencies[code]) if currencies else None,
        decimal=_decimal(text, language),
        day_first=day_first,
        order_proven=proven,
    )


def _region(text: str, language: str) -> str:
    """The region with the most evidence: named outright 3, an address or a calling code 2, customs 1."""
    votes: Counter[str] = Counter()
    for name in _COUNTRY.findall(fold(text)):
        votes[COUNTRIES[name.lower()]] += 3
    votes["US"] += 2 * len(_ZIP.findall(text))
    votes["GB"] += 2 * len(_POSTCODE.findall(text))
    for code in _CALLING.findall(text):
        votes[CALLING_CODES[code[1:]]] += 2
    for domain in _DOMAIN.findall(text):
        votes["GB" if domain == "uk" else domain.upper()] += 1
    for code in {currency_of(symbol, UNKNOWN_REGION) for symbol in _CURRENCY.findall(text)}:
        if code in CURRENCY_REGION:
            votes[CURRENCY_REGION[code]] += 1 if code == "USD" else 2
    if language in LANGUAGE_REGION:
        votes[LANGUAGE_REGION[language]] += 2
    region, count = max(votes.items(), key=lambda vote: vote[1])
    return region if count else UNKNOWN_REGION


def _order(text: str, region: str) -> tuple[bool, bool]:
    """(day first?, proven by a date that can be read in one way only?)"""
    day_first = month_first = 0
    for first, _, second in _NUMERIC_DATE.findall(text):
        day_first += 12 < int(first) <= 31 and 1 <= int(second) <= 12
        month_first += 12 < int(second) <= 31 and 1 <= int(first) <= 12
    if day_first != month_first:
        return day_first > month_first, not (day_first and month_first)
    return region not in MONTH_FIRST, False


def _decimal(text: str, language: str) -> Literal[".", ","]:
    """The mark before two last digits that is printed most; without any, the language's."""
    marks = Counter(_CENTS.findall(text))
    if marks["."] != marks[","]:
        return "." if marks["."] > marks[","] else ","
    return "," if language in COMMA_LANGUAGES else "."
