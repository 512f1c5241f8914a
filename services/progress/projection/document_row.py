"""One document as the projection stores it: settled state, live overlay, and what readers are given."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from shared.document import codec, percent, totals, view
from shared.document import live_overlay as overlay
from shared.document.codec import Row
from shared.document.live_overlay import InHand, LiveOverlay
from shared.document.stage_state import StageState
from shared.document.state import TERMINAL, DocumentState, evolve
from shared.document.totals import Counts
from shared.document.upload_info import NOTHING, UploadInfo
from shared.events.document import Fact, Progress


class DocumentRow(Struct, frozen=True):
    """A document in one generation; `offset` is the last record of the log that is in it."""

    state: DocumentState
    live: LiveOverlay
    info: UploadInfo
    offset: int

    @property
    def version(self) -> int:
        """The version that readers see."""
        return self.state.version + self.live.ticks


def take(before: DocumentRow | None, fact: Fact, offset: int) -> DocumentRow | None:
    """The projection after a fact; the fact's offset is noted even where it changes nothing else."""
    state = evolve(before.state if before else None, fact)
    if state is None:
        return None
    if before is None:
        return DocumentRow(state, LiveOverlay(), NOTHING, offset)
    return replace(before, state=state, live=overlay.follow(before.live, before.state, state, fact), offset=offset)


def tick(before: DocumentRow, progress: Progress) -> DocumentRow:
    """The projection after a tick; the same where the tick comes too late."""
    live = overlay.tick(before.live, before.state, progress)
    return before if live is before.live else replace(before, live=live)


def named(before: DocumentRow, info: UploadInfo) -> DocumentRow:
    """The projection with what the uploader said, which is no fact of the log."""
    return replace(before, info=info)


def settle(projection: DocumentRow) -> DocumentRow:
    """Note the percents that are about to be shown: they are the floors from now on."""
    state, live = projection.state, projection.live
    stages = {
        stage: percent.of_stage(stage_state, live) for stage, stage_state in state.stages.items() if stage_state.open
    }
    return replace(projection, live=replace(live, shown=percent.of_document(state, live), shown_stages=stages))


def count(projection: DocumentRow | None) -> Counts:
    """What the document adds to its tenant's totals."""
    return totals.count(projection.state, projection.live) if projection else {}


def marks(projection: DocumentRow) -> Row:
    """What is looked for among many rows, and added up over them."""
    state = projection.state
    return {"unfinished": state.status not in TERMINAL and not state.erased, "counted": count(projection)}


def to_row(projection: DocumentRow, epoch: str) -> Row:
    """The row of the collection `documents`."""
    state = projection.state
    deleted = state.status == "deleted"
    shown = view.render(state, projection.live, info=projection.info, epoch=epoch)
    return {
        "tenant": state.tenant,
        "uploaded_at": state.uploaded_at,
        "deleted": deleted,
        **marks(projection),
        "version": projection.version,
        "view": {"status": "deleted"} if deleted else shown,
        "plans": {stage: stage_state.plan for stage, stage_state in state.stages.items() if stage_state.plan},
        "results": {stage: stage_state.result for stage, stage_state in state.stages.items() if stage_state.result},
        "slices": {stage: _slices(projection, stage_state) for stage, stage_state in state.stages.items()},
        "offset": projection.offset,
        **(NOTHING if deleted else projection.info).to_row(),
        "settled": codec.to_row(state),
        "live": {
            "ticks": projection.live.ticks,
            "shown": projection.live.shown,
            "shown_stages": dict(projection.live.shown_stages),
            "in_hand": [asdict(held) for held in projection.live.in_hand.values()],
        },
    }


def from_row(row: Row) -> DocumentRow:
    """The projection of a stored row."""
    held = [InHand(**raw) for raw in row["live"]["in_hand"]]
    raw = row["live"]
    live = LiveOverlay({f"{h.stage}/{h.slice}": h for h in held}, raw["ticks"], raw["shown"], raw["shown_stages"])
    return DocumentRow(codec.from_row(row["settled"]), live, UploadInfo.of(row), row["offset"])


def of_snapshot(row: Row) -> DocumentRow:
    """The projection of a row in a snapshot, which holds what the log tells and nothing else."""
    return DocumentRow(codec.from_row(row["settled"]), LiveOverlay(), NOTHING, row["offset"])


def stage_rows(projection: DocumentRow, row: Row) -> list[tuple[str, Row]]:
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
                **_stage_columns(row["view"]["stages"][stage], stage_state),
            },
        )
        for stage, stage_state in state.stages.items()
    ]


def _stage_columns(shown: Mapping[str, Any], stage_state: StageState) -> Row:
    columns = ("status", "percent", "message", "error", "attempt", "retry_count")
    times = {
        "started_at": stage_state.started_at,
        "completed_at": stage_state.completed_at,
        "next_attempt_at": stage_state.due_at,
    }
    return {name: shown[name] for name in columns} | times


def _slices(projection: DocumentRow, stage_state: StageState) -> Row:
    running = [held.slice for held in percent.held_of(projection.live, stage_state.stage) if held.slice >= 0]
    return {
        "done": codec.bitmap(stage_state),
        "failed": [n for n in sorted(stage_state.failed) if n >= 0],
        "running": running,
    }
