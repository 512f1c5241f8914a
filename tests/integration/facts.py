"""Facts for tests, each with the few fields that matter."""

import uuid
from datetime import UTC, datetime
from typing import Any, Final

from shared.events import DocumentFact, DocumentUploaded
from shared.pipeline import PIPELINE, StageLine

AT: Final = datetime(2025, 5, 1, 12, 0, tzinfo=UTC)


def say(kind: type[DocumentFact], document_id: str, claim: str = "1", **fields: Any) -> Any:
    """A fact of `kind` about a document of the tenant `default`."""
    return kind.claim(document_id=document_id, claim=claim, tenant="default", at=AT, producer="test", **fields)


def uploaded(document_id: str | None = None) -> DocumentUploaded:
    """A document in the store."""
    fact: DocumentUploaded = say(
        DocumentUploaded,
        document_id or str(uuid.uuid4()),
        pipeline=tuple(StageLine(stage=line.stage, weight=line.weight) for line in PIPELINE),
        size=5,
        media_type="application/pdf",
    )
    return fact
