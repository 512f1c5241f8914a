"""The frames of pagestream.v1, each encoded once for all who get it.

A standalone job's frames are a document's with `job_id` in place of `document_id`, so one client reads both.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from shared.events.standalone_job import is_job_id

View = Mapping[str, Any]
Ref = int | str | None

FEED_ROWS: Final = 200  # newest rows of a feed's snapshot
_NOT_IN_ROWS: Final = "stages"


class Frame:
    """One message as JSON, with whatever further encodings a transport asks for."""

    __slots__ = ("_encodings", "epoch", "is_end", "json", "version")

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.json = orjson.dumps(body)
        self.epoch = body.get("epoch")
        self.version = body.get("version")
        self.is_end = body["op"] == "deleted" and "feed" not in body  # ends the subscription to a document
        self._encodings: dict[Callable[[Frame], bytes], bytes] = {}

    def encoded(self, encode: Callable[["Frame"], bytes]) -> bytes:
        """What `encode` makes of this frame, computed once."""
        known = self._encodings.get(encode)
        if known is None:
            known = self._encodings[encode] = encode(self)
        return known


def id_of(view: View) -> str:
    """The id of the document or job that a view shows."""
    return str(view["document_id"] if "document_id" in view else view["job_id"])


def naming(key: str) -> dict[str, str]:
    """The member that names a document or a job."""
    return {"job_id" if is_job_id(key) else "document_id": key}


def row(view: View) -> dict[str, Any]:
    """The small row of a feed."""
    return {name: value for name, value in view.items() if name != _NOT_IN_ROWS}


def snapshot(view: View, ref: Ref = None) -> Frame:
    """The whole state of a document; replaces whatever the client has."""
    return Frame(_referring({"op": "snapshot", **_position(view), "document": view}, ref))


def update(view: View) -> Frame:
    """The whole state of a document after a change."""
    return Frame({"op": "update", **_position(view), "document": view})


def current(document_id: str, epoch: str, version: int, ref: Ref = None) -> Frame:
    """Nothing was missed since the position the client named."""
    return Frame(_referring({"op": "current", **naming(document_id), "epoch": epoch, "version": version}, ref))


def deleted(document_id: str, epoch: str, version: int, feed: Mapping[str, Any] | None = None) -> Frame:
    """The document is gone; ends the subscription to it. `feed` names the feed of which it was a row."""
    return Frame({"op": "deleted", "document_id": document_id, "epoch": epoch, "version": version, **(feed or {})})


def feed_snapshot(feed: Mapping[str, Any], epoch: str, views: list[View], ref: Ref = None) -> Frame:
    """The newest rows of a feed; its version is the newest of theirs. `feed` names it, and how far a batch is."""
    newest = max((view["version"] for view in views), default=0)
    body = {"op": "snapshot", **feed, "epoch": epoch, "version": newest, "documents": [row(v) for v in views]}
    return Frame(_referring(body, ref))


def feed_update(feed: Mapping[str, Any], view: View) -> Frame:
    """One changed row of a feed."""
    return Frame({"op": "update", **feed, **_position(view), "document": row(view)})


def unsubscribed(ref: Ref) -> Frame:
    """The answer to unsubscribe."""
    return Frame(_referring({"op": "unsubscribed"}, ref))


def error(problem: Mapping[str, Any], ref: Ref = None, about: Mapping[str, Any] | None = None) -> Frame:
    """A refusal; `about` names the subscription it is about."""
    return Frame(_referring({"op": "error", **(about or {}), "error": problem}, ref))


def _position(view: View) -> dict[str, Any]:
    return {**naming(id_of(view)), "epoch": view["epoch"], "version": view["version"]}


def _referring(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    return body if ref is None else {"op": body.pop("op"), "ref": ref, **body}
