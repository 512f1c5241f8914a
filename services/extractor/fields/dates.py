"""Dates in a text: candidates by pattern, their order by the document's hints, their meaning by the label beside.

Pure: the reader of written months is an argument.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from typing import Final

from services.extractor.fields.hints import Hints
from services.extractor.fields.labels import DATE_LABELS, Label, fold
from services.extractor.findings import Finding

ReadWritten = Callable[[str], date | None]

MAX_WRITTEN: Final = 2_000  # candidates given to the reader in one pass; it takes 1 ms each
NEAR: Final = 16  # characters between a label and its date: ": Tue, "
BEFORE: Final = 60  # characters in which a label is looked for

_NUMERIC: Final = re.compile(r"(?<![\w./-])(\d{1,4})([./-])(\d{1,2})\2(\d{4}|\d{1,2})(?![^\WT]|[./-]\d)")
_CJK: Final = re.compile(r"(?<!\d)(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일]")
_MONTH: Final = r"[^\W\d_]{3,12}"
_WRITTEN: Final = re.compile(
    rf"(?<![\w.,/-])\d{{1,2}}(?:\.|st|nd|rd|th|er|º|°)?(?:[ \t]{{1,2}}|-|(?<=\.))(?:(?:of|de|den)[ ])?"
    rf"{_MONTH}\.?,?(?:[ \t]{{1,2}}|-)(?:(?:de|del)[ ])?(?:\d{{4}}|(?<=-)\d\d)(?!\w)"
    rf"|(?<!\w){_MONTH}\.?[ \t]{{1,2}}\d{{1,2}}(?:st|nd|rd|th)?,?[ \t]{{1,2}}\d{{4}}(?!\w)"
)
_DATELIKE: Final = re.compile(f"{_NUMERIC.pattern}|{_WRITTEN.pattern}")
EARLIEST: Final = 1000  # years outside are misread numbers
LATEST: Final = 2200
PIVOT: Final = 70  # two-digit years from here on are of the 1900s, as POSIX has them (69)


def find_dates(text: str, hints: Hints, read_written: ReadWritten) -> Iterator[Finding]:
    """The dates of a text, sorted; field "date" or "due_date" where a label marks it so, else "mentioned_date"."""
    found = sorted(_candidates(text, hints, read_written), key=lambda f: f.start)
    folded = fold(text)
    end = 0
    for finding in found:
        if finding.start < end:
            continue
        label = _label_beside(folded, finding.start, end) or _label_above(folded, finding.start)
        end = finding.end
        yield _meant(finding, label)


def _meant(finding: Finding, label: Label | None) -> Finding:
    if label is None:
        return finding.surer(finding.confidence * 0.85)
    method = f"{finding.method}+label:{label.phrase}"
    return Finding(
        label.field, finding.value, finding.normalized, finding.start, finding.end, finding.confidence, method
    )


def _candidates(text: str, hints: Hints, read_written: ReadWritten) -> Iterator[Finding]:
    for match in _NUMERIC.finditer(text):
        numeric = _numeric(match, hints)
        if numeric:
            day, confidence = numeric
            yield _finding(match, day, confidence, "numeric_date")
    for match in _CJK.finditer(text):
        year, month, number = map(int, match.groups())
        numbered = _date(year, month, number)
        if numbered:
            yield _finding(match, numbered, 0.95, "numeric_date")
    for match in islice(_WRITTEN.finditer(text), MAX_WRITTEN):
        written = read_written(match.group())
        if written and EARLIEST <= written.year <= LATEST:
            yield _finding(match, written, 0.95, "written_date")


def _finding(match: re.Match[str], day: date, confidence: float, method: str) -> Finding:
    return Finding("mentioned_date", match.group(), day.isoformat(), match.start(), match.end(), confidence, method)


def _numeric(match: re.Match[str], hints: Hints) -> tuple[date, float] | None:
    """The date and how sure its order is: 0.95 when it reads in one way only, down to 0.5 for a guess."""
    first, mark, middle, last = match.groups()
    if len(first) == 4:
        read = _date(int(first), int(middle), int(last)) if len(last) <= 2 else None
        return (read, 0.95) if read else None
    if len(first) == 3 or (mark == "." and len(last) == 2 and (len(first) < 2 or len(middle) < 2)) or len(last) == 1:
        return None  # "1.2.25" is a version or a section
    year = int(last) if len(last) == 4 else int(last) + (1900 if int(last) >= PIVOT else 2000)
    day_first, month_first = _date(year, int(middle), int(first)), _date(year, int(first), int(middle))
    short = 1.0 if len(last) == 4 else 0.85
    if day_first and month_first and day_first != month_first:
        if mark == ".":  # dots stand in day-first countries only
            return day_first, 0.9 * short
        return (day_first if hints.day_first else month_first), _order_confidence(hints) * short
    read = day_first or month_first
    return (read, 0.95 * short) if read else None


def _order_confidence(hints: Hints) -> float:
    if hints.order_proven:
        return 0.92
    return 0.5 if hints.region == "ZZ" else 0.75


def _date(year: int, month: int, day: int) -> date | None:
    if not EARLIEST <= year <= LATEST:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _label_beside(folded: str, start: int, earliest: int) -> Label | None:
    """The label before a date on its own line, at most NEAR characters away."""
    line = folded.rfind("\n", max(0, start - BEFORE), start) + 1
    labels = list(DATE_LABELS.find(folded, max(line, earliest, start - BEFORE), start))
    return labels[-1] if labels and start - labels[-1].end <= NEAR else None


def _label_above(folded: str, start: int) -> Label | None:
    """The label in the line above: alone, or in the same column of a heading with a label for each date."""
    line_start = folded.rfind("\n", max(0, start - 200), start) + 1
    line_end = folded.find("\n", start, start + 200)
    above_end = line_start - 1
    above_start = folded.rfind("\n", max(0, above_end - 200), max(0, above_end)) + 1
    if above_end <= 0:
        return None
    labels = list(DATE_LABELS.find(folded, above_start, above_end))
    line = folded[line_start : line_end if line_end >= 0 else start + 200]
    dates = [match.start() + line_start for match in _DATELIKE.finditer(line)]
    if len(labels) != len(dates) or _DATELIKE.search(folded, above_start, above_end):
        return None
    return next((label for label, place in zip(labels, dates, strict=True) if place == start), None)
