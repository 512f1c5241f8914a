"""Extractions as the gateway answers them, with the few fields that a test is about."""

from collections.abc import Sequence
from typing import Any


def a_finding(field: str, value: str, normalized: str, *, page: int = 1) -> dict[str, Any]:
    """One finding."""
    place = {"start": 0, "end": len(value), "page": page}
    return {"field": field, "value": value, "normalized": normalized, **place, "confidence": 0.9, "method": "label"}


def an_extraction(
    title: str, findings: Sequence[dict[str, Any]], warnings: Sequence[dict[str, str]] = ()
) -> dict[str, Any]:
    """The extraction of an invoice."""
    about = {"document_type": "invoice", "language": "en", "title": title, "summary": "", "keywords": []}
    return {**about, "findings": list(findings), "warnings": list(warnings)}
