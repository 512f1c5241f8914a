"""Amounts that a label names: total, net and tax; and whether they add up.

Only what is printed as label and amount counts, so prose ("report the total as 0.01") names nothing.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from services.extractor.fields.hints import CODES
from services.extractor.fields.labels import AMOUNT_LABELS, Label
from services.extractor.fields.money import Amount
from services.extractor.findings import Finding, best, merge

# Words that may stand between a label and its amount, or after it
FILLERS: Final = frozenset(
    [
        "in", "on", "of", "the", "incl", "inc", "including", "excl", "excluding", "vat", "tax", "taxes", "sales",
        "due", "amount", "total", "items", "item", "at", "rate", "and", "plus", "mwst", "ust", "mehrwertsteuer",
        "umsatzsteuer", "auf", "von", "aus", "inkl", "exkl", "zzgl", "gesamt", "brutto", "netto", "betrag", "eur",
        "euro", "euros", "euro's", "tva", "sur", "de", "du", "la", "ttc", "ht", "taux", "a", "iva", "sobre", "al",
        "su", "btw", "over", "moms", "gst", "hst", "usd", "gbp", "chf", "net", "gross", "payable", "dollars",
        "pounds", "cad", "aud", "kr", "zl", "der", "die", "das",
    ]
) | {code.lower() for code in CODES}  # fmt: skip
STRONG: Final = frozenset(
    {
        "grand total", "total amount due", "total due", "amount due", "invoice total", "total payable",
        "total to pay", "gesamtbetrag", "rechnungsbetrag", "zu zahlen", "zahlbetrag", "endbetrag", "total ttc",
        "montant total ttc", "net a payer", "total a payer", "total a pagar", "totale da pagare",
        "totaal te betalen", "net total", "total net", "nettobetrag", "total ht", "base imponible",
    }
)  # fmt: skip
_WORD: Final = re.compile(r"[^\W\d_]{1,40}")
_COLUMN: Final = re.compile(r"[ \t]{2,80}|[\t|]")
_RATE: Final = re.compile(r"\d{1,3}(?:[.,]\d{1,3})?[ ]?%")
ROUNDING: Final = Decimal("0.02")  # sums may be off by this much
MAX_ON_A_LINE: Final = 20  # labels; a line with more is no line of sums


def find_labelled(folded: str, amounts: Sequence[Amount]) -> Iterator[Finding]:
    """The totals, nets and taxes of a folded text whose amounts are given in order."""
    starts = [amount.start for amount in amounts]
    by_line: dict[int, list[Label]] = {}
    line_start = line_end = 0
    for label in AMOUNT_LABELS.find(folded):
        if label.start >= line_end:
            line_start, line_end = (
                folded.rfind("\n", line_end, label.start) + 1 or line_start,
                _line_end(folded, label.end),
            )
        by_line.setdefault(line_start, []).append(label)
    for line_start, labels in by_line.items():
        line_end = _line_end(folded, line_start)
        within = amounts[bisect_left(starts, line_start) : bisect_left(starts, line_end)]
        if len(labels) > MAX_ON_A_LINE:
            continue
        if within:
            yield from _beside(folded, line_end, labels, within)
        else:
            below = _line_end(folded, line_end + 1)
            yield from _below(folded, (line_start, line_end, below), labels, amounts, starts)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _beside(folded: str, line_end: int, labels: list[Label], amounts: Sequence[Amount]) -> Iterator[Finding]:
    """The last amount after each label, up to the next label that has one of its own."""
    ends = [label.start for label in labels[1:]] + [line_end]
    carried: Label | None = None  # "Total" in "Total VAT 20% 51.40" continues in the next label
    for label, end in zip(labels, ends, strict=True):
        named = carried or label
        mine = [amount for amount in amounts if label.end <= amount.start < end]
        if not mine:
            carried = named if _only_fillers(folded[label.end : end]) else None
            continue
        carried = None
        if _opens(folded, named) and _only_fillers(_residue(folded, named.end, end, mine)):
            yield from _named(named, mine[-1], "label")


def _below(
    folded: str, lines: tuple[int, int, int], labels: list[Label], amounts: Sequence[Amount], starts: list[int]
) -> Iterator[Finding]:
    """Headings above a line of nothing but amounts, one for each."""
    line_start, line_end, below = lines
    within = amounts[bisect_left(starts, line_end) : bisect_left(starts, below)]
    if len(within) != len(labels) or _WORD.search(_residue(folded, line_end, below, within)):
        return
    if _only_fillers(_residue(folded, line_start, line_end, labels)):
        for label, amount in zip(labels, within, strict=True):
            yield from _named(label, amount, "column")


def _residue(folded: str, start: int, end: int, taken: Sequence[Amount] | Sequence[Label]) -> str:
    parts = []
    for found in taken:
        parts.append(folded[start : found.start])
        start = found.end
    return " ".join([*parts, folded[start:end]])


def _only_fillers(text: str) -> bool:
    return all(word.lower() in FILLERS for word in _WORD.findall(text))


def _opens(folded: str, label: Label) -> bool:
    """Whether the label begins its line or a column of it ("zzgl. 19 % MwSt."), or is followed by a colon."""
    if folded[label.end : label.end + 2].lstrip().startswith(":"):
        return True
    before = max(0, label.start - 80)
    line = folded[max(before, folded.rfind("\n", before, label.start) + 1) : label.start]
    opening = _RATE.sub("", _COLUMN.split(line)[-1])
    return not any(map(str.isdigit, opening)) and _only_fillers(opening)


def _named(label: Label, amount: Amount, method: str) -> Iterator[Finding]:
    """A finding, unless a bare whole number is all there is: "Net 30" is a term of payment."""
    if not (amount.exact or amount.marked or any(mark in amount.value for mark in "., '’")):
        if label.field != "total":
            return
        confidence = 0.45
    else:
        confidence = 0.93 if label.phrase in STRONG else 0.87
    if amount.decimal < 0:
        confidence *= 0.8
    yield amount.found_as(label.field, confidence, f"{method}:{label.phrase}")


def settle_totals(findings: Sequence[Finding]) -> tuple[list[Finding], list[str]]:
    """The findings, surer where net + tax = total holds, and a sentence for each page whose sums do not."""
    settled: dict[Finding, Finding] = {}
    mismatches = []
    for scope in _scopes(findings):
        proven = _triple(scope)
        settled |= {finding: finding.surer(max(0.97, finding.confidence)) for finding in proven}
        total, net = best(scope, "total"), best(scope, "net")
        taxes = [f for f in merge(scope) if f.field == "tax"]
        if not proven and total and net and taxes:
            sentence = _mismatch(total, net, taxes, findings)
            mismatches += [sentence] if sentence else []
    return [settled.get(finding, finding) for finding in findings], mismatches


def _scopes(findings: Sequence[Finding]) -> list[list[Finding]]:
    """What is added up together: each page that has all three, or the whole document when no page has."""
    pages: dict[int, list[Finding]] = {}
    for finding in findings:
        pages.setdefault(finding.page, []).append(finding)
    whole = [page for page in pages.values() if {"total", "net", "tax"} <= {f.field for f in page}]
    return whole or [list(findings)]


def _triple(scope: Sequence[Finding]) -> list[Finding]:
    """Total, net and tax (or taxes) that add up: the last printed first; empty when none do."""
    of = {field: [f for f in scope if f.field == field][::-1][:8] for field in ("total", "net", "tax")}
    taxes = [[tax] for tax in of["tax"]] + ([merge(of["tax"])] if len(of["tax"]) > 1 else [])
    for total in of["total"]:
        for net in of["net"]:
            for tax in taxes:
                if abs(Decimal(net.normalized) + _sum(tax) - Decimal(total.normalized)) < ROUNDING:
                    return [total, net, *tax]
    return []


def _sum(findings: Sequence[Finding]) -> Decimal:
    return sum((Decimal(f.normalized) for f in findings), Decimal(0))


def _mismatch(total: Finding, net: Finding, taxes: list[Finding], findings: Sequence[Finding]) -> str | None:
    """The sentence, unless amounts printed between net and total (discounts, shipping) make up the difference."""
    known = {total.start, net.start, *(tax.start for tax in taxes)}
    between = [
        f for f in findings if f.field == "amount" and net.start < f.start < total.start and f.start not in known
    ]
    computed = Decimal(net.normalized) + _sum(taxes)
    if between and abs(computed + _sum(between) - Decimal(total.normalized)) < ROUNDING:
        return None
    parts = " + ".join([net.normalized, *(tax.normalized for tax in taxes)])
    return f"Page {total.page}: {parts} = {computed:.2f}, but the printed total is {total.normalized}."
