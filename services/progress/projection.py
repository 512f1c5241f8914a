"""One document as the projection stores it: settled state, live overlay, and what readers are given."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from shared import live as overlay
from shared import percent, settled, view
from shared.document import DocumentState, evolve
from shared.events import Fact, Progress
from shared.given import NOTHING, Given
from shared.jobs import Job
from shared.live import InHand, Live
from shared.settled import Row


class Projection(Struct, frozen=True):
    """A document in one generation; `offset` is the last record of the log that is in it."""

    state: DocumentState
    live: Live
    given: Given
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
        return Projection(state, Live(), NOTHING, offset)
    return replace(before, state=state, live=overlay.follow(before.live, before.state, state, fact), offset=offset)


def tick(before: Projection, progress: Progress) -> Projection:
    """The projection after a tick; the same where the tick comes too late."""
    live = overlay.tick(before.live, before.state, progress)
    return before if live is before.live else replace(before, live=live)


def named(before: Projection, given: Given) -> Projection:
    """The projection with what the uploader said, which is no fact of the log."""
    return replace(before, given=given)


def settle(projection: Projection) -> Projection:
    """Note the percents that are about to be shown: they are the floors from now on."""
    state, live = projection.state, projection.live
    stages = {stage: percent.of_job(job, live) for stage, job in state.jobs.items() if job.open}
    return replace(projection, live=replace(live, shown=percent.of_document(state, live), shown_stages=stages))


def to_row(projection: Projection, epoch: str) -> Row:
    """The row of the collection `documents`."""
    state = projection.state
    deleted = state.status == "deleted"
    shown = view.render(state, projection.live, given=projection.given, epoch=epoch)
    return {
        "tenant": state.tenant,
        "uploaded_at": state.uploaded_at,
        "deleted": deleted,
        "version": projection.version,
        "view": {"status": "deleted"} if deleted else shown,
        "plans": {stage: job.plan for stage, job in state.jobs.items() if job.plan},
        "results": {stage: job.result for stage, job in state.jobs.items() if job.result},
        "slices": {stage: _slices(projection, job) for stage, job in state.jobs.items()},
        "offset": projection.offset,
        **(NOTHING if deleted else projection.given).to_row(),
        "settled": settled.to_row(state),
        "live": {
            "ticks": projection.live.ticks,
            "shown": projection.live.shown,
            "shown_stages": dict(projection.live.shown_stages),
            "in_hand": [asdict(held) for held in projection.live.in_hand.values()],
        },
    }


def from_row(row: Row) -> Projection:
    """The projection of a stored row."""
    held = [InHand(**raw) for raw in row["live"]["in_hand"]]
    raw = row["live"]
    live = Live({f"{h.stage}/{h.slice}": h for h in held}, raw["ticks"], raw["shown"], raw["shown_stages"])
    return Projection(settled.from_row(row["settled"]), live, Given.of(row), row["offset"])


def job_rows(projection: Projection, row: Row) -> list[tuple[str, Row]]:
    """The rows of the collection `processing_jobs`, by id; `row` is the document's, as `to_row` made it."""
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
                **_job_columns(row["view"]["stages"][stage], job),
            },
        )
        for stage, job in state.jobs.items()
    ]


def _job_columns(shown: Mapping[str, Any], job: Job) -> Row:
    columns = ("status", "percent", "message", "error", "attempt", "retry_count")
    times = {"started_at": job.started_at, "completed_at": job.completed_at, "next_attempt_at": job.due_at}
    return {name: shown[name] for name in columns} | times


def _slices(projection: Projection, job: Job) -> Row:
    running = [held.slice for held in percent.held_of(projection.live, job.stage) if held.slice >= 0]
    return {"done": settled.bitmap(job), "failed": [n for n in sorted(job.failed) if n >= 0], "running": running}
