"""What a watcher knows of its documents, as a pure fold over socket frames."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

Frame = dict[str, Any]
Position = tuple[str, int]  # (epoch, version)

TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True)
class Watched:
    """Where the watcher stands: the position last shown of each document or job, and how those that ended have ended.

    `ended` maps a document to its last status: one of TERMINAL, or "deleted", or "refused" (no such document for us).
    """

    ids: tuple[str, ...]
    have: Mapping[str, Position] = field(default_factory=dict)
    ended: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, ids: Iterable[str], have: Mapping[str, Position] = MappingProxyType({})) -> "Watched":
        """`have`: positions already seen, so that only what is newer counts (a retry starts from a failed document)."""
        return cls(ids=tuple(dict.fromkeys(ids)), have=dict(have))

    @property
    def open(self) -> tuple[str, ...]:
        """The documents that have not ended, in the order asked for; a frame's `ref` is an index into `ids`."""
        return tuple(document_id for document_id in self.ids if document_id not in self.ended)

    def subscriptions(self) -> list[Frame]:
        """The frames to send on a fresh connection: every open document, resumed from what was seen."""
        return [self._subscription(self.ids.index(document_id), document_id) for document_id in self.open]

    def _subscription(self, ref: int, document_id: str) -> Frame:
        name = "job_id" if is_job(document_id) else "document_id"
        frame: Frame = {"op": "subscribe", "ref": ref, name: document_id}
        if document_id in self.have:
            epoch, version = self.have[document_id]
            frame["have"] = {"epoch": epoch, "version": version}
        return frame

    def moved(self, document_id: str, position: Position, status: str | None) -> "Watched":
        have = {**self.have, document_id: position}
        ended = self.ended if status is None else {**self.ended, document_id: status}
        return replace(self, have=have, ended=ended)


def reduce(watched: Watched, frame: Frame) -> tuple[Watched, Frame | None]:
    """Fold one frame and return what to show of it, None if it says nothing new.

    Within an epoch versions only grow: what is not newer is dropped. A snapshot of another epoch replaces what is
    known; an update of another epoch is a late word of an older database, since a new epoch starts with a snapshot.
    An error that answers a subscription is shown with the `document_id` it is about.
    """
    document_id = id_of(frame)
    match frame.get("op"):
        case "snapshot" | "update" | "deleted" as op if document_id in watched.open:
            position = (str(frame["epoch"]), int(frame["version"]))
            if not _is_news(op, watched.have.get(document_id), position):
                return watched, None
            return watched.moved(document_id, position, ending(frame)), frame
        case "error" if (refused := _refused(watched, frame)) is not None:
            ended = {**watched.ended, refused: "refused"}
            return replace(watched, ended=ended), {**frame, "document_id": refused}
        case _:  # "current", "unsubscribed", and what later versions may say: nothing to show
            return watched, None


def is_job(key: str) -> bool:
    """Whether an id names a standalone job: a document's id is a UUID."""
    return key.startswith(("job-", "rebuild-"))


def id_of(frame: Frame) -> str | None:
    """The document or job that a frame is about."""
    return frame.get("document_id") or frame.get("job_id")


def ending(frame: Frame) -> str | None:
    """How this frame ends its document ("deleted", "refused" or one of TERMINAL), None if it does not."""
    match frame["op"]:
        case "deleted":
            return "deleted"
        case "error":
            return "refused"
        case _:
            status = str(frame["document"]["status"])
            return status if status in TERMINAL else None


def _is_news(op: str, have: Position | None, got: Position) -> bool:
    if have is None:
        return True
    if have[0] == got[0]:
        return got[1] > have[1]
    return op != "update"


def _refused(watched: Watched, frame: Frame) -> str | None:
    """The open document whose subscription an error frame answers, or None if it answers something else."""
    ref = frame.get("ref")
    if not isinstance(ref, int) or not 0 <= ref < len(watched.ids):
        return None
    document_id = watched.ids[ref]
    return document_id if document_id in watched.open else None
