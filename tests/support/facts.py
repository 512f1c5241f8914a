"""Facts for tests, each with the few fields that matter."""

import uuid
from datetime import UTC, datetime
from typing import Any, Final

from shared.events.document import (
    DocumentCompleted,
    DocumentFact,
    DocumentUploaded,
    Fact,
    SliceCompleted,
    StageCompleted,
    StagePlanned,
    StageStarted,
    WorkerLost,
)
from shared.events.pipeline import PIPELINE, StageLine

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


def life(document_id: str) -> list[Fact]:
    """The facts of a document of two pages that loses a worker, with some that say nothing new."""
    ocr: dict[str, Any] = {"stage": "ocr", "attempt": 1}
    page = {**ocr, "plan": "p", "weight": 1.5}
    facts: list[Fact] = [
        uploaded(document_id),
        say(StageStarted, document_id, "ocr", **ocr),
        say(StagePlanned, document_id, "ocr", **ocr, plan="p", slices=2, weight=3.0, page_count=2),
        say(WorkerLost, document_id, "ocr0", **ocr, plan="p", slice=0, strike=1),
        say(SliceCompleted, document_id, "ocr0", **page, slice=0, pages=(1, 1)),
        say(SliceCompleted, document_id, "ocr0", **page, slice=0, pages=(1, 1)),
        say(SliceCompleted, document_id, "ocr1", **page, slice=1, pages=(2, 2)),
        say(StageCompleted, document_id, "ocr", **ocr, plan="p", result=f"default/{document_id}/ocr/p/result"),
        say(WorkerLost, document_id, "late", **ocr, plan="p", slice=1, strike=1),
    ]
    for stage in ("chunk", "extract"):
        of: dict[str, Any] = {"stage": stage, "attempt": 1}
        facts += [
            say(StageStarted, document_id, stage, **of),
            say(StagePlanned, document_id, stage, **of, plan="p", slices=1, weight=0.1),
            say(SliceCompleted, document_id, stage, **of, plan="p", slice=0, weight=0.1),
            say(StageCompleted, document_id, stage, **of, plan="p", result=f"default/{document_id}/{stage}/p/result"),
        ]
    done = say(DocumentCompleted, document_id, run=1)
    return [*facts, done, done]
