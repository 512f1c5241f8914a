"""The timeline: one row for each fact, with a sentence for people."""

from typing import Any

from shared.document import DocumentState
from shared.errors import describe
from shared.events import CONCLUDE, PLAN, Fact, SliceCompleted, SliceFact, SliceFailed, StageFact, StageFailed

_SUMMARIES = {
    "DocumentUploaded": "Uploaded",
    "StageStarted": "Stage {stage} started, attempt {attempt}",
    "StagePlanned": "Stage {stage} planned: {slices} pieces",
    "SliceCompleted": "Stage {stage} finished {piece}",
    "SliceFailed": "Stage {stage} failed on {piece}: {reason}",
    "WorkerLost": "The worker on {piece} of stage {stage} disappeared",
    "StageCompleted": "Stage {stage} completed",
    "StageFailed": "Stage {stage} failed: {reason}",
    "RetryScheduled": "Attempt {attempt} of stage {stage} is due at {due_at:%H:%M:%S}",
    "StageRequested": "Stage {stage} is to run again, attempt {attempt}",
    "DocumentCompleted": "Completed",
    "DocumentCancelled": "Cancelled",
    "RetryRequested": "Somebody asked to try again",
    "CancelRequested": "Somebody asked to stop",
    "DocumentDeleted": "Somebody deleted the document",
    "DocumentErased": "Everything stored was erased",
}


def row(state: DocumentState, fact: Fact, offset: int) -> dict[str, Any]:
    """The timeline row of `fact`, after which the document is in `state`. `offset` orders equal versions."""
    spoken_of = fact if isinstance(fact, StageFact) else None
    return {
        "_id": fact.event_id,
        "document_id": fact.document_id,
        "tenant": fact.tenant,
        "version": state.version,
        "offset": offset,
        "type": fact.type,
        "at": fact.at,
        "stage": spoken_of.stage if spoken_of else None,
        "attempt": spoken_of.attempt if spoken_of else None,
        "page": _page(fact),
        "summary": summary(fact),
    }


def summary(fact: Fact) -> str:
    """What the fact tells, in words."""
    words: dict[str, Any] = {**vars(fact)}
    if isinstance(fact, SliceFact):
        words["piece"] = _piece(fact)
    if isinstance(fact, SliceFailed | StageFailed):
        words["reason"] = describe(fact.error.code, fact.error.facts)[0]
    return _SUMMARIES[fact.type].format(**words)


def _piece(fact: SliceFact) -> str:
    pages = fact.pages if isinstance(fact, SliceCompleted | SliceFailed) else None
    if pages:
        first, last = pages
        return f"page {first}" if first == last else f"pages {first} to {last}"
    return {PLAN: "planning", CONCLUDE: "concluding"}.get(fact.slice, f"piece {fact.slice + 1}")


def _page(fact: Fact) -> int | None:
    pages = fact.pages if isinstance(fact, SliceCompleted | SliceFailed) else None
    return pages[0] if pages and pages[0] == pages[1] else None
