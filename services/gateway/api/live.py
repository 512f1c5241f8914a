"""The live addresses as HTTP sees them: server-sent events. A WebSocket never comes here (see `live.websocket`)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from services.gateway.dependencies import Asking, EventStreamsDep, Holding, JobKey, Key
from services.gateway.live.sse import EventStream, position_of
from services.gateway.problems import Problem
from services.gateway.targets import Target

router = APIRouter(prefix="/v1", tags=["live"])

_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}

LastEventId = Annotated[str | None, Header(max_length=128)]


@router.get(
    "/documents/{document_id}/live",
    response_class=Response,
    responses=_EVENTS,
    summary="One document live: a WebSocket, or text/event-stream when asked",
)
async def document(
    event_streams: EventStreamsDep,
    asking: Asking,
    holders: Holding,
    key: Key,
    request: Request,
    last_event_id: LastEventId = None,
) -> EventStream:
    """A snapshot, then every change."""
    _require_event_stream(request)
    return EventStream(event_streams, asking, holders, Target.document(*key), position_of(last_event_id))


@router.get(
    "/jobs/{job_id}/live",
    response_class=Response,
    responses=_EVENTS,
    summary="One job live: a WebSocket, or text/event-stream when asked",
)
async def job(
    event_streams: EventStreamsDep,
    asking: Asking,
    holders: Holding,
    key: JobKey,
    request: Request,
    last_event_id: LastEventId = None,
) -> EventStream:
    """A snapshot, then every change."""
    _require_event_stream(request)
    return EventStream(event_streams, asking, holders, Target.job(*key), position_of(last_event_id))


@router.get(
    "/live",
    response_class=Response,
    responses=_EVENTS,
    summary="Many subscriptions on one WebSocket, or a feed as text/event-stream",
)
async def feed(
    event_streams: EventStreamsDep,
    asking: Asking,
    holders: Holding,
    request: Request,
    feed: Annotated[str, Query(max_length=64)] = "documents",
    batch: Annotated[str | None, Query(max_length=100)] = None,
) -> EventStream:
    """The newest rows, then every changed one."""
    _require_event_stream(request)
    is_batch = feed == "batch" and batch is not None
    target = Target.of_batch(asking.tenant, batch or "") if is_batch else Target.of_feed(asking.tenant, feed)
    asking.require_watching(target)
    if not is_batch and feed != "documents":
        raise Problem("feed.not_found", feed=feed)
    return EventStream(event_streams, asking, holders, target, None)


def _require_event_stream(request: Request) -> None:
    if "text/event-stream" not in request.headers.get("accept", ""):
        raise Problem("not_acceptable")
