"""The AsyncAPI document of the socket: what each side may say, with an example of everything. Pure."""

from typing import Any, Final

from services.gateway.live.client_frames import Subscribe, Unsubscribe
from services.gateway.live.close_codes import MEANINGS

Schema = dict[str, Any]

_OWN_CODES: Final = 4000  # from here on a close code belongs to the protocol that uses it (RFC 6455, 7.4.2)

_ID: Final = "6f1c2b8e-6a53-4c36-9a3e-3f1f0d1f7b11"
_JOB: Final = "job-0d9f1c1e-3f0b-4f0e-9a55-1b1f6f0e3f57"
_AT: Final = {"epoch": "k3f9", "version": 34000000}
_VIEW: Final = {"document_id": _ID, "status": "processing", "percent": 42.5, "message": None, **_AT}
_JOB_VIEW: Final = {"job_id": _JOB, "status": "running", "percent": 42.5, "message": None, **_AT}
_ERROR: Final = {"code": "document.not_found", "message": "There is no such document.", "action": "Check the id."}

_REF: Final[Schema] = {"type": ["integer", "string"], "description": "That of the request which this answers."}
_VIEW_SCHEMA: Final[Schema] = {
    "type": "object",
    "description": "The whole small state, as GET /v1/documents/{id} and GET /v1/jobs/{id} answer it.",
    "required": ["status", "percent", "message", "epoch", "version"],
}
_MEMBERS: Final[dict[str, Schema]] = {
    "ref": _REF,
    "document_id": {"type": "string"},
    "job_id": {"type": "string"},
    "feed": {"type": "string"},
    "batch": {"type": "string", "description": "Whose feed it is, where `feed` is `batch`."},
    "progress": {"type": "object", "description": "How far the documents of a batch are together."},
    "epoch": {"type": "string", "description": "Compared for equality only; a new one starts with a snapshot."},
    "version": {"type": "integer", "description": "Only grows within an epoch."},
    "document": _VIEW_SCHEMA,
    "documents": {"type": "array", "items": _VIEW_SCHEMA},
    "error": {"type": "object", "required": ["code", "message", "action"]},
}
_ABOUT: Final = [{"required": ["document_id"]}, {"required": ["job_id"]}, {"required": ["feed"]}]

# name -> (what it tells, members it must have, whether it names what it is about, examples)
_SAID: Final[dict[str, tuple[str, list[str], bool, list[Schema]]]] = {
    "snapshot": (
        "The whole state; it replaces whatever the client has.",
        ["epoch", "version"],
        True,
        [
            {"op": "snapshot", "ref": 1, "document_id": _ID, **_AT, "document": _VIEW},
            {"op": "snapshot", "ref": 2, "job_id": _JOB, **_AT, "document": _JOB_VIEW},
            {"op": "snapshot", "ref": 3, "feed": "documents", **_AT, "documents": [_VIEW]},
        ],
    ),
    "update": (
        "The whole state after a change; in a feed one row.",
        ["epoch", "version", "document"],
        True,
        [
            {"op": "update", "document_id": _ID, **_AT, "document": _VIEW},
            {"op": "update", "job_id": _JOB, **_AT, "document": _JOB_VIEW},
            {"op": "update", "feed": "documents", "document_id": _ID, **_AT, "document": _VIEW},
        ],
    ),
    "current": (
        "Nothing was missed since the position in `have`.",
        ["epoch", "version"],
        True,
        [{"op": "current", "ref": 1, "document_id": _ID, **_AT}],
    ),
    "deleted": (
        "The document is gone; this ends the subscription to it.",
        ["epoch", "version", "document_id"],
        True,
        [{"op": "deleted", "document_id": _ID, **_AT}],
    ),
    "unsubscribed": ("The answer to unsubscribe.", [], False, [{"op": "unsubscribed", "ref": 4}]),
    "error": (
        "A refusal; other subscriptions go on.",
        ["error"],
        False,  # a frame that cannot be read is about nothing
        [{"op": "error", "ref": 1, "document_id": _ID, "error": _ERROR}],
    ),
}
_ASKED: Final[dict[str, tuple[type[Subscribe] | type[Unsubscribe], list[Schema]]]] = {
    "subscribe": (
        Subscribe,
        [
            {"op": "subscribe", "ref": 1, "document_id": _ID, "have": {"epoch": "k3f9", "version": 31000004}},
            {"op": "subscribe", "ref": 2, "job_id": _JOB},
            {"op": "subscribe", "ref": 3, "feed": "documents"},
        ],
    ),
    "unsubscribe": (Unsubscribe, [{"op": "unsubscribe", "ref": 4, "document_id": _ID}]),
}


def document(version: str) -> Schema:
    """AsyncAPI 3.0, as the server's clients see it."""
    messages: Schema = {**{name: _said(name) for name in _SAID}, **{name: _asked(name) for name in _ASKED}}
    channel = "#/channels/live"
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Pagestream, live",
            "version": version,
            "description": "JSON text frames under the subprotocol pagestream.v1. `/v1/documents/{id}/live` and "
            "`/v1/jobs/{id}/live` subscribe by themselves; their first frame is the snapshot. Close codes: "
            f"{_codes(own=True)}; {_codes(own=False)}.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "live": {
                "address": "/v1/live",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            },
        },
        "operations": {
            "ask": _operation("receive", channel, _ASKED),
            "tell": _operation("send", channel, _SAID),
        },
        "components": {"messages": messages},
    }


def _codes(*, own: bool) -> str:
    """The close codes of this protocol, or those of WebSocket itself (RFC 6455), each with its meaning."""
    return ", ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items() if (code >= _OWN_CODES) == own)


def _operation(action: str, channel: str, names: Any) -> Schema:
    refs = [{"$ref": f"{channel}/messages/{name}"} for name in names]
    return {"action": action, "channel": {"$ref": channel}, "messages": refs}


def _said(name: str) -> Schema:
    summary, required, is_about, examples = _SAID[name]
    payload: Schema = {
        "type": "object",
        "required": ["op", *required],
        "properties": {"op": {"const": name}, **_MEMBERS},
    }
    if is_about:
        payload["anyOf"] = _ABOUT
    return _message(name, summary, payload, examples)


def _asked(name: str) -> Schema:
    model, examples = _ASKED[name]
    return _message(name, str(model.__doc__), model.model_json_schema(), examples)


def _message(name: str, summary: str, payload: Schema, examples: list[Schema]) -> Schema:
    return {"name": name, "summary": summary, "payload": payload, "examples": [{"payload": one} for one in examples]}
