"""The timeline: one row for each fact, with a sentence for people."""

from typing import Any

from shared.document import DocumentState
from shared.events import (
    CONCLUDE,
    PLAN,
    DocumentFact,
    Fact,
    RetryScheduled,
    SliceCompleted,
    SliceFact,
    SliceFailed,
    StageFact,
    StageFailed,
    StagePlanned,
)
from shared.messages import Message, because, message


def row(state: DocumentState, fact: Fact, offset: int) -> dict[str, Any]:
    """The timeline row of `fact`, after which the document is in `state`; rows keep the order of `offset`, the log."""
    said = said_of(fact)
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
        "summary": said["text"],
        "code": said["code"],
        "params": said["params"],
    }


def said_of(fact: Fact) -> Message:
    """What the fact tells, in words."""
    code = f"timeline.{fact.type}"
    params: dict[str, Any] = {}
    if isinstance(fact, StageFact):
        params |= {"stage": fact.stage, "attempt": fact.attempt}
    if isinstance(fact, StagePlanned):
        params["slices"] = fact.slices
    if isinstance(fact, RetryScheduled):
        params["seconds"] = max(0, round((fact.due_at - fact.at).total_seconds()))
    if isinstance(fact, SliceFailed | StageFailed):
        params |= because(fact.error)
    if isinstance(fact, SliceFact):
        piece = _piece(fact)
        code, params = f"{code}.{piece[0]}", params | piece[1]
    return message(code, **params)


def _piece(fact: SliceFact) -> tuple[str, dict[str, int]]:
    """What the slice is one of, and which."""
    if pages := _pages(fact):
        first, last = pages
        return ("page", {"page": first}) if first == last else ("pages", {"first": first, "last": last})
    if name := {PLAN: "plan", CONCLUDE: "conclude"}.get(fact.slice):
        return name, {}
    return "piece", {"piece": fact.slice + 1}


def _pages(fact: DocumentFact) -> tuple[int, int] | None:
    return fact.pages if isinstance(fact, SliceCompleted | SliceFailed) else None


def _page(fact: DocumentFact) -> int | None:
    pages = _pages(fact)
    return pages[0] if pages and pages[0] == pages[1] else None
