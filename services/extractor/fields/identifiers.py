"""IBANs and VAT numbers in a text, and the numbers that documents carry: invoice, receipt, order, reference.

Pure: the checks of check digits are arguments.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from services.extractor.fields.labels import NUMBER_LABELS, Label
from services.extractor.findings import Finding

ReadIban = Callable[[str], tuple[int, str] | None]
ReadVat = Callable[[str], str | None]

MAX_CHECKED: Final = 500  # candidates in one pass

_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:[ \u00a0-]?[A-Z0-9]){11,30}")
_VAT: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:ATU|CHE|AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|NO|PL|PT|RO|SE|SI|SK)"
    r"[ -]?[A-Z0-9](?:[ .-]?[A-Z0-9]){6,14}"
)
_VAT_LABEL: Final = re.compile(r"vat|ust|uid|umsatzsteuer|tva|iva|btw|tax|moms|mva|nif|cif", re.IGNORECASE)

_NUMBER_WORD: Final = (
    r"(?:numbers?|num|no|nr|n°|nº|n\.|№|#|id|ref|reference|code|nummer|numero|invoice number|order)(?![^\W_])\.?|[#№]"
)
_GAP: Final = re.compile(
    rf"[ \t]{{0,3}}[(\[|-]?[ \t]{{0,2}}(?P<word>{_NUMBER_WORD})?[ \t]{{0,3}}(?P<colon>[:.#=|]?)[ \t|*]{{0,40}}",
    re.IGNORECASE,
)
_BEFORE: Final = re.compile(
    rf"(?:{_NUMBER_WORD})[ \t]{{0,2}}(?:(?:de|du|della|di|del)[ \t]{{1,2}}(?:la[ \t])?)?$", re.IGNORECASE
)
_VALUE: Final = re.compile(r"[A-Za-z0-9](?:[\w./-]{0,38}[A-Za-z0-9])?(?![^\W_])")
_DATE: Final = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}$|(?:19|20)\d\d$")
_AMOUNT: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})*[.,]\d\d$")
_HASH: Final = re.compile(r"^[ \t]{0,40}#[ \t]{0,2}(?P<value>[A-Za-z0-9][\w./-]{1,38})[ \t]{0,40}$", re.MULTILINE)


def find_ibans(text: str, read_iban: ReadIban) -> Iterator[Finding]:
    """The IBANs whose check digits are right; normalized without spaces."""
    for match in islice(_IBAN.finditer(text), MAX_CHECKED):
        checked = read_iban(match.group())
        if checked:
            length, compact = checked
            end = match.start() + length
            yield Finding("iban", text[match.start() : end], compact, match.start(), end, 0.99, "check_digits")


def find_vat_numbers(text: str, read_vat: ReadVat) -> Iterator[Finding]:
    """The VAT numbers of Europe whose check digits are right; normalized without spaces, with the country."""
    for match in islice(_VAT.finditer(text), MAX_CHECKED):
        printed, compact = _longest_vat(match.group(), read_vat)
        if compact:
            labelled = bool(_VAT_LABEL.search(text, max(0, match.start() - 30), match.start()))
            end = match.start() + len(printed)
            confidence, method = (0.98, "label+check_digits") if labelled else (0.75, "check_digits")
            yield Finding("vat_number", printed, compact, match.start(), end, confidence, method)


def _longest_vat(candidate: str, read_vat: ReadVat) -> tuple[str, str | None]:
    """(printed, compact) of the longest valid beginning of a candidate that ends with a group of it."""
    ends = [match.start() for match in re.finditer(r"[ .-]", candidate)]
    for end in [len(candidate), *reversed(ends)]:
        compact = read_vat(candidate[:end])
        if compact:
            return candidate[:end], compact
    return candidate, None


def find_numbers(folded: str) -> Iterator[Finding]:
    """The numbers that a label names ("Invoice no. KOS-2025-00417"); fields as in `NUMBER_LABELS`."""
    end = 0
    for label in NUMBER_LABELS.find(folded):
        if label.start >= end:  # else it is part of a number already found, as in "TXN: TXN-98765"
            for finding in _number_after(folded, label):
                end = finding.end
                yield finding
    for match in _HASH.finditer(folded):
        if _carries_digit(match["value"]):
            start, end = match.span("value")
            yield Finding("reference", match["value"], match["value"], start, end, 0.5, "hash_line")


def _number_after(folded: str, label: Label) -> Iterator[Finding]:
    gap = _GAP.match(folded, label.end)
    if gap is None:
        return
    named = bool(gap["word"]) or label.phrase.endswith(("nummer", "nr")) or _named_before(folded, label)
    pointed = named or bool(gap["colon"]) or label.phrase in ("reference", "txn")
    value = _VALUE.match(folded, gap.end())
    method = "label"
    if value is None and pointed and folded[gap.end() : gap.end() + 1] == "\n":
        value, method = _VALUE.match(folded, gap.end() + 1), "label_above"
    if value is None or not _acceptable(value.group(), named, pointed):
        return
    confidence = 0.95 if named else 0.88 if pointed else 0.8
    if method == "label_above":
        confidence -= 0.1
    yield Finding(
        label.field, value.group(), value.group(), value.start(), value.end(), confidence, f"{method}:{label.phrase}"
    )


def _named_before(folded: str, label: Label) -> bool:
    """Whether "n° de" and the like stand before the label, as in French, Spanish and Italian."""
    return bool(_BEFORE.search(folded[max(0, label.start - 20) : label.start]))


def _acceptable(value: str, named: bool, pointed: bool) -> bool:
    """Whether it is a number of a document, not a date, an amount, a year or a count."""
    if not _carries_digit(value) or _AMOUNT.match(value):
        return False
    if _DATE.match(value):
        return named and value.isdigit()
    if named:
        return True
    mixed = not value.isdigit()
    return (len(value) >= 3 and mixed and value[-1].isdigit()) if not pointed else len(value) >= 3


def _carries_digit(value: str) -> bool:
    return any(character.isdigit() for character in value)
