"""One document as the projection stores it: settled state, live overlay, and what readers are given."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from services.progress import live as overlay
from services.progress import percent, view
from services.progress.live import InHand, Live
from services.progress.policy import due_at
from services.progress.state import DocumentState, FailedSlice, Job, evolve
from shared.events import Fact, Failure, Progress
from shared.mongo import Row


@dataclass(frozen=True, slots=True)
class Projection:
    """A document in one generation; `offset` is the last record of the log that is in it."""

    state: DocumentState
    live: Live
    filename: str
    offset: int

    @property
    def version(self) -> int:
        """The version that readers see."""
        return self.state.version + self.live.ticks


def take(before: Projection | None, fact: Fact, offset: int) -> Projection | None:
    """The projection after a fact; the fact's offset is noted even where it changes nothing else."""
    state = evolve(before.state if before else None, fact)
    if state is None:
        return None
    if before is None:
        return Projection(state, Live(), "", offset)
    return replace(before, state=state, live=overlay.follow(before.live, before.state, state, fact), offset=offset)


def tick(before: Projection, progress: Progress) -> Projection:
    """The projection after a tick; the same where the tick comes too late."""
    live = overlay.tick(before.live, before.state, progress)
    return before if live is before.live else replace(before, live=live)


def named(before: Projection, filename: str) -> Projection:
    """The projection with the file's name, which is no fact of the log."""
    return replace(before, filename=filename)


def settle(projection: Projection) -> Projection:
    """Note the percent that is about to be shown: it is the floor from now on."""
    shown = percent.of_document(projection.state, projection.live)
    return replace(projection, live=replace(projection.live, shown=shown))


def to_row(projection: Projection, epoch: str) -> Row:
    """The row of the collection `documents`."""
    state = projection.state
    deleted = state.status == "deleted"
    shown = view.render(state, projection.live, filename=projection.filename, epoch=epoch)
    return {
        "tenant": state.tenant,
        "uploaded_at": state.uploaded_at,
        "deleted": deleted,
        "view": {"status": "deleted"} if deleted else shown,
        "plans": {stage: job.plan for stage, job in state.jobs.items() if job.plan},
        "results": {stage: job.result for stage, job in state.jobs.items() if job.result},
        "slices": {stage: _slices(projection, job) for stage, job in state.jobs.items()},
        "due": due_at(state),
        "offset": projection.offset,
        "filename": "" if deleted else projection.filename,
        "settled": settled_row(state),
        "live": {
            "ticks": projection.live.ticks,
            "shown": projection.live.shown,
            "in_hand": [_plain(held) for held in projection.live.in_hand.values()],
        },
    }


def from_row(row: Row) -> Projection:
    """The projection of a stored row."""
    held = [InHand(**raw) for raw in row["live"]["in_hand"]]
    live = Live({f"{h.stage}/{h.slice}": h for h in held}, row["live"]["ticks"], row["live"]["shown"])
    return Projection(_settled(row["settled"]), live, row["filename"], row["offset"])


def job_rows(projection: Projection) -> list[tuple[str, Row]]:
    """The rows of the collection `processing_jobs`, by id."""
    state = projection.state
    if state.status == "deleted":
        return []
    return [
        (
            f"{state.document_id}/{stage}",
            {
                "document_id": state.document_id,
                "tenant": state.tenant,
                "type": stage,
                "version": projection.version,
                **_job_columns(view.render_job(state, job, projection.live), job),
            },
        )
        for stage, job in state.jobs.items()
    ]


def _job_columns(shown: Mapping[str, Any], job: Job) -> Row:
    columns = ("status", "percent", "message", "error", "attempt", "retry_count")
    times = {"started_at": job.started_at, "completed_at": job.completed_at, "next_attempt_at": job.due_at}
    return {name: shown[name] for name in columns} | times


def settled_row(state: DocumentState) -> Row:
    """The settled part as a row: bitmaps as bytes, slice numbers as strings, sets sorted."""
    row = _plain(state)
    row["requests"] = list(state.requests)
    row["jobs"] = [_job_row(job) for job in state.jobs.values()]
    return row


def _job_row(job: Job) -> Row:
    row = _plain(job)
    row["done"] = _bitmap(job)
    row["error"] = job.error.model_dump() if job.error else None
    row["failed"] = {
        str(number): {"error": failed.error.model_dump(), "pages": list(failed.pages) if failed.pages else None}
        for number, failed in sorted(job.failed.items())
    }
    row["lost"] = sorted(job.lost)
    return row


def _settled(row: Row) -> DocumentState:
    jobs = [_job(raw) for raw in row["jobs"]]
    return DocumentState(**{**row, "jobs": {job.stage: job for job in jobs}, "requests": tuple(row["requests"])})


def _job(row: Row) -> Job:
    failed = {
        int(number): FailedSlice(
            Failure.model_validate(raw["error"]), (raw["pages"][0], raw["pages"][1]) if raw["pages"] else None
        )
        for number, raw in row["failed"].items()
    }
    special = {
        "done": int.from_bytes(row["done"], "little"),
        "error": Failure.model_validate(row["error"]) if row["error"] else None,
        "failed": failed,
        "lost": frozenset(row["lost"]),
    }
    return Job(**{**row, **special})


def _slices(projection: Projection, job: Job) -> Row:
    running = [held.slice for held in percent.held_of(projection.live, job.stage) if held.slice >= 0]
    return {"done": _bitmap(job), "failed": sorted(job.failed), "running": running}


def _bitmap(job: Job) -> bytes:
    return job.done.to_bytes((job.done.bit_length() + 7) // 8, "little")


def _plain(value: Any) -> Row:
    return {column.name: getattr(value, column.name) for column in fields(value)}
