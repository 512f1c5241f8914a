"""What all passes together say: one list of findings, sums checked, and warnings. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.extractor.fields.kinds import UNKNOWN
from services.extractor.fields.totals import settle_totals
from services.extractor.findings import Finding, best, contradict, merge, surest

MAX_FINDINGS: Final = 20_000  # findings of one document: a table of 31,000 rows has five in each


def conclude_findings(
    whole: Mapping[str, Any], found: Sequence[Finding], missing: Sequence[tuple[int, int] | None], first_page: int
) -> dict[str, Any]:
    """The extraction from the whole-document pass ({} when it failed), all findings and the missing pages.

    A missing pass is the pages it covered, None for the pass over the whole. `first_page` is the first with text.
    """
    kind = whole.get("document_type", UNKNOWN)
    settled, mismatches = settle_totals(sorted(found, key=lambda f: f.start))
    merged = merge(contradict(_promoted(_one_vendor(settled), kind, first_page)))
    findings = surest(merged, MAX_FINDINGS)
    warnings = [{"code": "sum_mismatch", "text": sentence} for sentence in mismatches]
    warnings += [{"code": "partial", "text": _missed(pages)} for pages in missing]
    if len(findings) < len(merged):
        warnings.append({"code": "findings_capped", "text": _capped(len(findings), len(merged))})
    return {
        "document_type": kind,
        "language": whole.get("language", "und"),
        "title": whole.get("title"),
        "summary": whole.get("summary", ""),
        "keywords": list(whole.get("keywords", ())),
        "findings": [finding.to_json() for finding in findings],
        "warnings": warnings,
    }


def _capped(kept: int, found: int) -> str:
    return f"Only the {kept:,} surest of {found:,} findings are listed: the document holds more than are kept of one."


def _missed(pages: tuple[int, int] | None) -> str:
    if pages is None:
        return "Title, type, language, keywords and summary could not be determined."
    return f"Pages {pages[0]} to {pages[1]} were not searched: their pass failed."


def _one_vendor(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with only the most confident vendor; the others are guesses it has beaten."""
    candidates = [finding for finding in findings if finding.field == "vendor"]
    chosen = max(candidates, key=lambda f: (f.confidence, -f.start), default=None)
    return [finding for finding in findings if finding.field != "vendor" or finding is chosen]


def _promoted(findings: Sequence[Finding], kind: str, page: int) -> list[Finding]:
    """The findings, where the first page's first unlabelled date is the document's, if no date is labelled as that.

    Likewise the bare "# 1042" at the top of an invoice is its number.
    """
    promoted = list(findings)
    if best(findings, "date") is None:
        _promote(promoted, page, "mentioned_date", "date", 0.85, "first_date")
    if kind == "invoice" and best(findings, "invoice_number") is None:
        _promote(promoted, page, "reference", "invoice_number", 1.2, "hash_line")
    return promoted


def _promote(findings: list[Finding], page: int, field: str, into: str, factor: float, method: str) -> None:
    """Turn the first unlabelled finding of `field` on the page into `into`."""
    for index, finding in enumerate(findings):
        if finding.field == field and finding.page == page and "label" not in finding.method:
            surer = finding.surer(finding.confidence * factor)
            findings[index] = replace(surer, field=into, method=method)
            return
