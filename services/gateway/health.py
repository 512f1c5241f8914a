"""Is it alive, and is it ready."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from services.gateway.answers import Json
from services.gateway.context import Gateway, Parts
from services.gateway.mongo import SILENT_AFTER
from shared.errors import PagestreamError
from shared.mongo import PyMongoError, Row

router = APIRouter(tags=["health"])

_WITHIN: Final = 3.0  # seconds for one check


@router.get("/healthz", summary="Alive")
async def alive() -> Response:
    """The process answers."""
    return Json({"status": "alive"})


@router.get("/readyz", summary="Ready, or what is missing")
async def ready(gateway: Parts) -> Response:
    """`{"ready", "checks": {name: "ok" or a sentence}}`; 503 while anything is missing."""
    checks = {
        "gateway": "it is being restarted" if gateway.hub.closing.is_set() else "ok",
        "updates": "ok" if gateway.feed.ready.is_set() else "the positions in the topic updates are not fixed yet",
        "broker": await _check(gateway.feed.ping),
        "store": await _check(gateway.blobs.check),
        **await _database(gateway),
    }
    is_ready = all(said == "ok" for said in checks.values())
    return Json({"ready": is_ready, "checks": checks}, status_code=200 if is_ready else 503)


async def _database(gateway: Gateway) -> dict[str, str]:
    database = await _check(gateway.status.ping)
    if database != "ok":
        return {"database": database, "projection": "unknown while the database is away"}
    try:
        row = await gateway.status.projector()
    except PyMongoError as error:
        return {"database": str(error), "projection": "unknown while the database is away"}
    return {"database": database, "projection": projection_state(row)}


def projection_state(row: Row | None) -> str:
    """ "ok", or the sentence that says why the overview cannot be trusted."""
    if row is None or silence(row) > SILENT_AFTER:
        return "the service progress has not been heard of for 10 seconds"
    if row.get("halted"):
        return f"the projection has halted: {row['halted']}"
    if not row.get("caught_up"):
        return f"the projection is {row.get('lag', 'some')} records behind the log"
    return "ok"


def silence(row: Row) -> float:
    """Seconds since a fold was heard of."""
    seconds = row.get("silent_seconds")
    return math.inf if seconds is None else float(seconds)


async def _check(probe: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(_WITHIN):
            await probe()
    except TimeoutError:
        return f"no answer within {_WITHIN:.0f} seconds"
    except (PagestreamError, PyMongoError, OSError) as error:
        return str(error)
    return "ok"
