"""The document view: what people and programs see, rendered from what is settled and what is live."""

from datetime import UTC, datetime
from typing import Any, Final

from shared.document import percent
from shared.document.live_overlay import LiveOverlay
from shared.document.messages import Message, because, message
from shared.document.stage_state import StageState
from shared.document.state import DocumentState
from shared.document.upload_info import UploadInfo
from shared.error_catalog import describe
from shared.events.document import Failure

QUEUE: Final = "queue.waiting"
OUTSIDE: Final = ".waiting_for_"  # a provider, space: nothing that the stage itself could do faster


def render(state: DocumentState, live: LiveOverlay, *, info: UploadInfo, epoch: str) -> dict[str, Any]:
    """The whole small view of one document."""
    eta = percent.eta(state, live)
    stages = {stage: render_stage(state, stage_state, live) for stage, stage_state in state.stages.items()}
    return {
        "document_id": state.document_id,
        **info.to_row(),
        "content_type": state.media_type,
        "bytes": state.size,
        "status": state.status,
        "percent": percent.of_document(state, live),
        "partial": state.partial,
        "message": _message(state, stages),
        "eta_seconds": {"low": eta[0], "high": eta[1]} if eta else None,
        "pages": pages(state),
        "stages": stages,
        "error": _document_error(state),
        "epoch": epoch,
        "version": state.version + live.ticks,
        "uploaded_at": iso(state.uploaded_at),
        "updated_at": iso(state.updated_at),
        "completed_at": iso(state.completed_at),
    }


def render_stage(state: DocumentState, stage_state: StageState, live: LiveOverlay) -> dict[str, Any]:
    """One stage of the view."""
    status = status_of(stage_state, live)
    return {
        "status": status,
        "percent": percent.of_stage(stage_state, live),
        "attempt": stage_state.attempt,
        "retry_count": stage_state.attempt - 1,
        "started_at": iso(stage_state.started_at),
        "completed_at": iso(stage_state.completed_at),
        "next_attempt_at": iso(stage_state.due_at),
        "message": _stage_message(state, stage_state, status, live),
        "error": _error(stage_state.error, stage_state) if stage_state.error else None,
    }


def status_of(stage_state: StageState, live: LiveOverlay) -> str:
    """The status that is shown of a stage: while a lost worker is the last word about all of its slices, `stalled`."""
    is_stalled = stage_state.lost and stage_state.status == "running" and not percent.held_of(live, stage_state.stage)
    return "stalled" if is_stalled else stage_state.status


def pages(state: DocumentState) -> dict[str, Any]:
    """Pages done of pages, from the stage that counted them."""
    for stage_state in state.stages.values():
        if stage_state.pages is not None:
            spans = [failed.pages for _, failed in sorted(stage_state.failed.items()) if failed.pages]
            failed = [page for first, last in spans for page in range(first, last + 1)]
            return {"total": stage_state.pages, "done": stage_state.pages_done, "failed": failed}
    return {"total": None, "done": 0, "failed": []}


def failure_of(state: DocumentState) -> Failure | None:
    """Why the document, or a part of it, failed."""
    stage_state = _failed_job(state)
    return stage_state.error if stage_state else None


def iso(at: datetime | None) -> str | None:
    """A moment as it is written in JSON, in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _message(state: DocumentState, stages: dict[str, dict[str, Any]]) -> Message:
    match state.status:
        case "completed" if state.cancel_too_late:
            return message("document.cancel_too_late")
        case "completed" if state.partial:
            return message("document.partial", failed=sum(len(stage.failed) for stage in state.stages.values()))
        case "failed":
            return _failed_message(failure_of(state))
        case "completed" | "cancelled" | "cancelling" | "processed":
            return message(f"document.{state.status}")
        case _:
            current = next(
                (stage for stage, stage_state in state.stages.items() if stage_state.status != "completed"), None
            )
            shown: Message = stages[current]["message"] if current else message("document.processed")
            return shown


def _stage_message(state: DocumentState, stage_state: StageState, status: str, live: LiveOverlay) -> Message:
    match status:
        case "pending":
            return _waiting_message(state, stage_state, live)
        case "retrying":
            assert stage_state.error
            due = {"due_at": iso(stage_state.due_at)} if stage_state.due_at else {}
            return message("retry.scheduled", attempt=stage_state.attempt + 1, **because(stage_state.error), **due)
        case "stalled":
            return message("worker.lost")
        case "running":
            return _running_message(stage_state, live)
        case "failed":
            return _failed_message(stage_state.error)
        case "cancelled":
            return message("document.cancelled")
        case _:
            return message("stage.done")


def _waiting_message(state: DocumentState, stage_state: StageState, live: LiveOverlay) -> Message:
    before = state.before(stage_state.stage)
    if before is not None and before.status != "completed":
        return message("stage.waiting")
    params = next((held.params for held in percent.held_of(live, stage_state.stage) if held.code == QUEUE), {})
    return message(QUEUE, **params)


def _running_message(stage_state: StageState, live: LiveOverlay) -> Message:
    held = percent.held_of(live, stage_state.stage)
    if waiting := next((tick for tick in held if OUTSIDE in tick.code), None):
        return message(waiting.code, **waiting.params)
    if stage_state.plan is None:
        return message("stage.planning")
    done = stage_state.done.bit_count()
    if done + len(stage_state.failed) >= stage_state.slices:
        return message("stage.concluding")
    if stage_state.pages is not None:
        return message(f"{stage_state.stage}.pages_done", done=stage_state.pages_done, total=stage_state.pages)
    if stage_state.slices > 1:
        return message("stage.slices_done", done=done, total=stage_state.slices)
    return message(held[-1].code, **held[-1].params) if held else message(f"{stage_state.stage}.working")


def _failed_message(error: Failure | None) -> Message:
    return message("document.failed", **(because(error) if error else {"reason": "unknown"}))


def _failed_job(state: DocumentState) -> StageState | None:
    stage_state = state.stages.get(state.failed_stage or "")
    return stage_state or next((stage for stage in state.stages.values() if stage.partial and stage.error), None)


def _document_error(state: DocumentState) -> dict[str, Any] | None:
    stage_state = _failed_job(state)
    return _error(stage_state.error, stage_state) if stage_state and stage_state.error else None


def _error(error: Failure, stage_state: StageState) -> dict[str, Any]:
    sentence, action = describe(error.code, error.facts)
    page = error.page
    if page is None:
        spans = [failed.pages for failed in stage_state.failed.values() if failed.error == error and failed.pages]
        page = spans[0][0] if spans and spans[0][0] == spans[0][1] else None
    return {
        "code": error.code,
        "facts": error.facts,
        "message": sentence,
        "stage": stage_state.stage,
        "page": page,
        "attempt": stage_state.attempt,
        "retryable": error.retryable,
        "action": action,
    }
