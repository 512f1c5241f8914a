"""What was found in a document, as lines for people."""

from collections.abc import Mapping
from typing import Any, Final

from cli import rows
from shared.results import Extraction, Finding

SHOWN: Final = 12  # findings in the short form; `--json` has all


def of_document(view: Mapping[str, Any], extraction: Mapping[str, Any] | None) -> list[str]:
    """Name and state, why it failed if it did, then type, title and the surest findings."""
    row = rows.of_view(view)
    facts = (row.state, f"{row.percent:.0f} %", row.pages, row.warning)
    lines = [f"{row.name}  {', '.join(fact for fact in facts if fact)}"]
    if row.reason:
        lines.append(f"  {row.reason}")
    if extraction is not None:
        lines += [f"  {line}" for line in _of_extraction(Extraction.model_validate(extraction))]
    return lines


def of_event(event: Mapping[str, Any]) -> str:
    """One row of the timeline: the version for `--at`, and the time of day in UTC, to the millisecond."""
    at = str(event["at"])[11:23].rstrip("Z")
    return f"  {event['version']:>10}  {at:<12}  {rows.printable(event.get('summary') or event['type'])}"


def _of_extraction(extraction: Extraction) -> list[str]:
    kind = extraction.document_type.replace("_", " ")
    title = rows.printable(extraction.title or "")
    lines = [f"{kind}{': ' + title if title else ''}"]
    found = sorted(extraction.findings, key=lambda one: -one.confidence)
    lines += [_of_finding(one) for one in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"… and {len(found) - SHOWN} more")
    lines += [f"note: {rows.printable(warning.text)}" for warning in extraction.warnings]
    return lines


def _of_finding(finding: Finding) -> str:
    page = f"  (page {finding.page})" if finding.page else ""
    return f"{finding.field.replace('_', ' '):<18}  {rows.printable(finding.normalized or finding.value)}{page}"
