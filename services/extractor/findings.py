"""What was found in a text and where: the finding, its JSON, and how two passes' findings become one list."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

AMOUNTS: Final = frozenset({"amount", "total", "net", "tax"})
# Fields of which a document has one: two different values contradict each other.
SINGLE: Final = frozenset(
    {"total", "net", "date", "due_date", "invoice_number", "receipt_number", "quote_number", "estimate_number"}
)
CONFLICT: Final = 0.8  # what a contradicted value's confidence is multiplied with


@dataclass(frozen=True, slots=True)
class Finding:
    """One printed value. `start` and `end` are offsets into the text it was found in, `confidence` is 0..1.

    `value` is as printed; `normalized` an ISO date, a plain decimal with a dot, an E.164 number, and so on.
    `currency` (ISO 4217, None = not printed anywhere) belongs to amounts only. `page` is 1-based, 0 = not yet known.
    """

    field: str
    value: str
    normalized: str
    start: int
    end: int
    confidence: float
    method: str
    currency: str | None = None
    page: int = 0

    def at(self, offset: int, page: int) -> "Finding":
        """The same finding in the whole text, which its own text follows after `offset` characters."""
        return replace(self, start=self.start + offset, end=self.end + offset, page=page)

    def surer(self, confidence: float) -> "Finding":
        """The same finding with another confidence, kept within 0..1 and rounded to what it can mean."""
        return replace(self, confidence=round(min(1.0, max(0.0, confidence)), 3))

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON object; `currency` only where the field is an amount."""
        found = asdict(self)
        if self.field not in AMOUNTS:
            del found["currency"]
        return found

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Finding":
        """The inverse of `to_json`."""
        return cls(**found)


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """One finding per field and normalized value, the most confident (then the first), sorted by page and start."""
    best: dict[tuple[str, str, str | None], Finding] = {}
    for finding in findings:
        key = (finding.field, finding.normalized, finding.currency)
        rank = (finding.confidence, -finding.start)
        if key not in best or rank > (best[key].confidence, -best[key].start):
            best[key] = finding
    return sorted(best.values(), key=lambda f: (f.page, f.start, f.end, f.field))


def surest(findings: list[Finding], limit: int) -> list[Finding]:
    """At most `limit` of the findings, in their order: the most confident, of equals the first."""
    if len(findings) <= limit:
        return findings
    kept = {id(finding) for finding in sorted(findings, key=lambda f: -f.confidence)[:limit]}
    return [finding for finding in findings if id(finding) in kept]


def contradict(findings: list[Finding]) -> list[Finding]:
    """The findings with less confidence in single-valued fields that were printed with different values."""
    values: dict[str, set[str]] = {}
    for finding in findings:
        values.setdefault(finding.field, set()).add(finding.normalized)
    contested = {field for field, seen in values.items() if field in SINGLE and len(seen) > 1}
    return [f.surer(f.confidence * CONFLICT) if f.field in contested else f for f in findings]


def best(findings: Iterable[Finding], field: str) -> Finding | None:
    """The most confident finding of a field; of equals the last printed, where totals stand."""
    return max((f for f in findings if f.field == field), key=lambda f: (f.confidence, f.start), default=None)
