"""What a watcher believes: targets, states and the fold over the frames of pagestream.v1. Pure.

The same rules as the browser's `protocol.js`: within an epoch versions only grow, a snapshot of another epoch replaces,
and an update of another epoch cannot be compared, so a snapshot is asked for instead of guessing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

View = dict[str, Any]  # of a document or a job, as the HTTP interface has it
Frame = dict[str, Any]

TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})
MAX_ROWS: Final = 500  # of a feed that is followed for weeks: the newest stay


class Position(NamedTuple):
    """How far a state is: versions are compared within an epoch, epochs only for equality."""

    epoch: str
    version: int


class Target(NamedTuple):
    """What can be watched."""

    kind: Literal["document", "job", "feed", "batch"]
    name: str

    @classmethod
    def of_id(cls, name: str) -> "Target":
        """A document or a standalone job; a document's id is a UUID, so the form of the id decides."""
        return cls("job" if name.startswith(("job-", "rebuild-")) else "document", name)

    @classmethod
    def batch(cls, name: str) -> "Target":
        """All documents that were uploaded under this batch's name, and how far they are together."""
        return cls("batch", name)

    @property
    def is_feed(self) -> bool:
        """Whether it is about many documents, as rows."""
        return self.kind in ("feed", "batch")

    @property
    def fields(self) -> dict[str, str]:
        """How frames name it."""
        if self.kind == "batch":
            return {"feed": "batch", "batch": self.name}
        return {"feed" if self.is_feed else f"{self.kind}_id": self.name}


DOCUMENTS: Final = Target("feed", "documents")


def target_of(frame: Frame) -> Target | None:
    """What a frame is about; None where it names nothing."""
    match frame:
        case {"feed": "batch", "batch": str(name)}:
            return Target("batch", name)
        case {"feed": str(name)}:
            return Target("feed", name)
        case {"document_id": str(name)}:
            return Target("document", name)
        case {"job_id": str(name)}:
            return Target("job", name)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a target.

    `status`: "waiting" for the first frame, "live", and at the end "deleted" or "refused" (then `error` is the reason:
    `code`, `message`, `action`). `view` is a document's or job's; `rows` are a feed's documents by id, and of a batch
    `progress` is `{"status", "percent", "total", "done", "failed", "cancelled"}`. `frame` is the last one that changed
    anything.
    """

    target: Target
    status: Literal["waiting", "live", "deleted", "refused"] = "waiting"
    position: Position | None = None
    view: View | None = None
    rows: Mapping[str, View] = field(default_factory=lambda: MappingProxyType({}))
    progress: View | None = None
    error: View | None = None
    frame: Frame = field(default_factory=dict)
    gone: frozenset[str] = frozenset()  # rows that were deleted: a late update does not bring them back
    is_lost: bool = False  # its epoch is over: a snapshot must be asked for

    @property
    def ending(self) -> str | None:
        """How it has ended: one of TERMINAL, "deleted" or "refused"; None while more may come by itself."""
        if self.status in ("deleted", "refused"):
            return self.status
        status = (self.view or {}).get("status")
        return status if status in TERMINAL else None

    @property
    def is_over(self) -> bool:
        """Whether nothing can follow; a failed document may still be retried, a deleted one never comes back."""
        return self.status in ("deleted", "refused")


def subscription(state: State, ref: int) -> Frame:
    """What to send to (re)subscribe; what is known already is resumed, a feed always starts with a snapshot."""
    frame: Frame = {"op": "subscribe", "ref": ref, **state.target.fields}
    if state.position is not None and not state.is_lost and not state.target.is_feed:
        frame["have"] = state.position._asdict()
    return frame


def reduce(state: State, frame: Frame) -> State:
    """The state after a frame; the same object where the frame changes nothing."""
    if state.is_over:
        return state
    match frame.get("op"):
        case "snapshot" if state.target.is_feed:
            return _feed_replaced(state, frame)
        case "snapshot" | "update" | "deleted" if not state.target.is_feed:
            return _one_changed(state, frame)
        case "update":
            return _row_changed(state, frame)
        case "deleted":
            return _row_deleted(state, frame)
        case "current":
            return state if state.status == "live" else replace(state, status="live", frame=frame)
        case "error":
            named = {**frame, **state.target.fields}
            return replace(state, status="refused", error=frame.get("error") or {"code": "unknown"}, frame=named)
        case _:  # "unsubscribed", and what a newer server may say
            return state


def _one_changed(state: State, frame: Frame) -> State:
    position = Position(str(frame["epoch"]), int(frame["version"]))
    if frame["op"] == "deleted":
        return replace(state, status="deleted", position=position, view=None, frame=frame)
    known = state.position
    if known is not None and frame["op"] == "update" and position.epoch != known.epoch:
        return state if state.is_lost else replace(state, is_lost=True)
    if known is not None and position.epoch == known.epoch and position.version <= known.version:
        return replace(state, is_lost=False) if state.is_lost and frame["op"] == "snapshot" else state
    return replace(state, status="live", position=position, view=frame["document"], frame=frame, is_lost=False)


def _feed_replaced(state: State, frame: Frame) -> State:
    rows = {row["document_id"]: row for row in frame["documents"]}
    position = Position(str(frame["epoch"]), int(frame["version"]))
    fresh = State(state.target, "live", position, rows=rows, progress=frame.get("progress"), frame=frame)
    return state if fresh == replace(state, frame=frame) else fresh


def _row_changed(state: State, frame: Frame) -> State:
    name, row = frame["document_id"], frame["document"]
    if state.position is None or frame["epoch"] != state.position.epoch:
        return state if state.is_lost else replace(state, is_lost=True)
    known = state.rows.get(name)
    if name in state.gone or (known is not None and row["version"] <= known["version"]):
        return state
    return _with_rows(state, _newest({**state.rows, name: row}), frame)


def _row_deleted(state: State, frame: Frame) -> State:
    name = frame["document_id"]
    if name in state.gone:
        return state
    rows = {other: row for other, row in state.rows.items() if other != name}
    return replace(_with_rows(state, rows, frame), gone=state.gone | {name})


def _with_rows(state: State, rows: Mapping[str, View], frame: Frame) -> State:
    return replace(state, rows=rows, progress=frame.get("progress", state.progress), frame=frame)


def _newest(rows: dict[str, View]) -> dict[str, View]:
    if len(rows) > MAX_ROWS:
        del rows[min(rows, key=lambda name: str(rows[name]["uploaded_at"]))]
    return rows
