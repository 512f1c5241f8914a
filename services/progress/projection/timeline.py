"""The timeline: one row for each fact, with a sentence for people."""

from typing import Any

from shared.document.messages import Message, because, message
from shared.document.state import DocumentState
from shared.events.document import (
    CONCLUDE,
    PLAN,
    Fact,
    RetryScheduled,
    SliceCompleted,
    SliceFact,
    SliceFailed,
    StageFact,
    StageFailed,
    StagePlanned,
)


def row(state: DocumentState, fact: Fact, offset: int) -> dict[str, Any]:
    """The timeline row of `fact`, after which the document is in `state`; rows keep the order of `offset`, the log."""
    said = said_of(fact)
    params = said["params"]
    return {
        "_id": f"{fact.document_id}/{fact.event_id}",
        "document_id": fact.document_id,
        "tenant": fact.tenant,
        "version": state.version,
        "offset": offset,
        "type": fact.type,
        "at": fact.at,
        "stage": params.get("stage"),
        "attempt": params.get("attempt"),
        "page": params.get("page"),
        "summary": said["text"],
        "code": said["code"],
        "params": params,
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
        kind, which = _place(fact)
        code = f"{code}.{kind}"
        params |= which
    return message(code, **params)


def _place(fact: SliceFact) -> tuple[str, dict[str, int]]:
    """What the slice is one of, and which."""
    if isinstance(fact, SliceCompleted | SliceFailed) and fact.pages:
        first, last = fact.pages
        return ("page", {"page": first}) if first == last else ("pages", {"first": first, "last": last})
    if name := {PLAN: "plan", CONCLUDE: "conclude"}.get(fact.slice):
        return name, {}
    return "piece", {"piece": fact.slice + 1}
