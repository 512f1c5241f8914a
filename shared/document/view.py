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


def render(state: DocumentState, live: LiveOverlay, *, given: UploadInfo, epoch: str) -> dict[str, Any]:
    """The whole small view of one document."""
    eta = percent.eta(state, live)
    stages = {stage: render_job(state, job, live) for stage, job in state.jobs.items()}
    return {
        "document_id": state.document_id,
        **given.to_row(),
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


def render_job(state: DocumentState, job: StageState, live: LiveOverlay) -> dict[str, Any]:
    """One stage of the view."""
    held = percent.held_of(live, job.stage)
    status = "stalled" if job.lost and not held and job.status == "running" else job.status
    return {
        "status": status,
        "percent": percent.of_job(job, live),
        "attempt": job.attempt,
        "retry_count": job.attempt - 1,
        "started_at": iso(job.started_at),
        "completed_at": iso(job.completed_at),
        "next_attempt_at": iso(job.due_at),
        "message": _job_message(state, job, status, live),
        "error": _error(job.error, job) if job.error else None,
    }


def pages(state: DocumentState) -> dict[str, Any]:
    """Pages done of pages, from the stage that counted them."""
    for job in state.jobs.values():
        if job.pages is not None:
            spans = [failed.pages for _, failed in sorted(job.failed.items()) if failed.pages]
            failed = [page for first, last in spans for page in range(first, last + 1)]
            return {"total": job.pages, "done": job.pages_done, "failed": failed}
    return {"total": None, "done": 0, "failed": []}


def iso(at: datetime | None) -> str | None:
    """A moment as it is written in JSON, in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _message(state: DocumentState, stages: dict[str, dict[str, Any]]) -> Message:
    match state.status:
        case "completed" if state.cancel_too_late:
            return message("document.cancel_too_late")
        case "completed" if state.partial:
            return message("document.partial", failed=sum(len(job.failed) for job in state.jobs.values()))
        case "failed":
            job = _failed_job(state)
            return _failed_message(job.error if job else None)
        case "completed" | "cancelled" | "cancelling" | "processed":
            return message(f"document.{state.status}")
        case _:
            current = next((stage for stage, job in state.jobs.items() if job.status != "completed"), None)
            shown: Message = stages[current]["message"] if current else message("document.processed")
            return shown


def _job_message(state: DocumentState, job: StageState, status: str, live: LiveOverlay) -> Message:
    match status:
        case "pending":
            return _waiting_message(state, job, live)
        case "retrying":
            assert job.error
            due = {"due_at": iso(job.due_at)} if job.due_at else {}
            return message("retry.scheduled", attempt=job.attempt + 1, **because(job.error), **due)
        case "stalled":
            return message("worker.lost")
        case "running":
            return _running_message(job, live)
        case "failed":
            return _failed_message(job.error)
        case "cancelled":
            return message("document.cancelled")
        case _:
            return message("stage.done")


def _waiting_message(state: DocumentState, job: StageState, live: LiveOverlay) -> Message:
    before = state.before(job.stage)
    if before is not None and before.status != "completed":
        return message("stage.waiting")
    told = next((held.params for held in percent.held_of(live, job.stage) if held.code == QUEUE), {})
    return message(QUEUE, **told)


def _running_message(job: StageState, live: LiveOverlay) -> Message:
    held = percent.held_of(live, job.stage)
    if waiting := next((tick for tick in held if OUTSIDE in tick.code), None):
        return message(waiting.code, **waiting.params)
    if job.plan is None:
        return message("stage.planning")
    done = job.done.bit_count()
    if done + len(job.failed) >= job.slices:
        return message("stage.concluding")
    if job.pages is not None:
        return message(f"{job.stage}.pages_done", done=job.pages_done, total=job.pages)
    if job.slices > 1:
        return message("stage.slices_done", done=done, total=job.slices)
    return message(held[-1].code, **held[-1].params) if held else message(f"{job.stage}.working")


def _failed_message(error: Failure | None) -> Message:
    return message("document.failed", **(because(error) if error else {"reason": "unknown"}))


def _failed_job(state: DocumentState) -> StageState | None:
    job = state.jobs.get(state.failed_stage or "")
    return job or next((job for job in state.jobs.values() if job.partial and job.error), None)


def _document_error(state: DocumentState) -> dict[str, Any] | None:
    job = _failed_job(state)
    return _error(job.error, job) if job and job.error else None


def _error(error: Failure, job: StageState) -> dict[str, Any]:
    sentence, action = describe(error.code, error.facts)
    page = error.page
    if page is None:
        spans = [failed.pages for failed in job.failed.values() if failed.error == error and failed.pages]
        page = spans[0][0] if spans and spans[0][0] == spans[0][1] else None
    return {
        "code": error.code,
        "facts": error.facts,
        "message": sentence,
        "stage": job.stage,
        "page": page,
        "attempt": job.attempt,
        "retryable": error.retryable,
        "action": action,
    }
