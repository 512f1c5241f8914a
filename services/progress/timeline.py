"""The timeline: one row for each fact, with a sentence for people."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.document import DocumentState
from shared.errors import describe
from shared.events import CONCLUDE, PLAN, Fact, SliceCompleted, SliceFact, SliceFailed, StageFact, StageFailed

_SUMMARIES: Final[Mapping[str, Callable[[Any], str]]] = {
    "DocumentUploaded": lambda fact: "Uploaded",
    "StageStarted": lambda fact: f"Stage {fact.stage} started, attempt {fact.attempt}",
    "StagePlanned": lambda fact: f"Stage {fact.stage} planned: {fact.slices} pieces",
    "SliceCompleted": lambda fact: f"Stage {fact.stage} finished {_piece(fact)}",
    "SliceFailed": lambda fact: f"Stage {fact.stage} failed on {_piece(fact)}: {_reason(fact)}",
    "WorkerLost": lambda fact: f"The worker on {_piece(fact)} of stage {fact.stage} disappeared",
    "StageCompleted": lambda fact: f"Stage {fact.stage} completed",
    "StageFailed": lambda fact: f"Stage {fact.stage} failed: {_reason(fact)}",
    "RetryScheduled": lambda fact: f"Attempt {fact.attempt} of stage {fact.stage} is due at {fact.due_at:%H:%M:%S}",
    "StageRequested": lambda fact: f"Stage {fact.stage} is to run again, attempt {fact.attempt}",
    "DocumentCompleted": lambda fact: "Completed",
    "DocumentCancelled": lambda fact: "Cancelled",
    "RetryRequested": lambda fact: "Somebody asked to try again",
    "CancelRequested": lambda fact: "Somebody asked to stop",
    "DocumentDeleted": lambda fact: "Somebody deleted the document",
    "DocumentErased": lambda fact: "Everything stored was erased",
}


def row(state: DocumentState, fact: Fact, offset: int) -> dict[str, Any]:
    """The timeline row of `fact`, after which the document is in `state`; rows keep the order of `offset`, the log."""
    spoken_of = fact if isinstance(fact, StageFact) else None
    return {
        "_id": f"{fact.document_id}/{fact.event_id}",
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
    return _SUMMARIES[fact.type](fact)


def _reason(fact: SliceFailed | StageFailed) -> str:
    return describe(fact.error.code, fact.error.facts)[0]


def _piece(fact: SliceFact) -> str:
    pages = fact.pages if isinstance(fact, SliceCompleted | SliceFailed) else None
    if pages:
        first, last = pages
        return f"page {first}" if first == last else f"pages {first} to {last}"
    return {PLAN: "planning", CONCLUDE: "concluding"}.get(fact.slice, f"piece {fact.slice + 1}")


def _page(fact: Fact) -> int | None:
    pages = fact.pages if isinstance(fact, SliceCompleted | SliceFailed) else None
    return pages[0] if pages and pages[0] == pages[1] else None
