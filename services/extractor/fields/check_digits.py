"""IBAN and VAT numbers whose check digits are right, by python-stdnum (offline: it never asks a registry)."""

from importlib.metadata import version as _version
from typing import Final

from stdnum import iban
from stdnum.ch import vat as ch_vat
from stdnum.eu import vat as eu_vat
from stdnum.gb import vat as gb_vat
from stdnum.no import mva

version: Final = _version("python-stdnum")
SHORTEST_IBAN: Final = 15  # Norway's


def read_iban(text: str) -> tuple[int, str] | None:
    """(characters used, compact IBAN) of the longest valid IBAN that ends with a group of `text`; None if none does."""
    ends = [i for i in range(SHORTEST_IBAN, len(text)) if not text[i].isalnum()]
    for end in [len(text), *reversed(ends)]:
        if iban.is_valid(text[:end]):
            return end, iban.compact(text[:end])
    return None


def read_vat(text: str) -> str | None:
    """The compact VAT number with its country; None unless its check digits are right."""
    if text.startswith("GB"):
        return f"GB{gb_vat.compact(text)}" if gb_vat.is_valid(text) else None
    if text.startswith("CHE"):
        return str(ch_vat.compact(text)) if ch_vat.is_valid(text) else None
    if text.startswith("NO"):
        return f"NO{mva.compact(text)}" if mva.is_valid(text) else None
    return str(eu_vat.compact(text)) if eu_vat.is_valid(text) else None
