"""Is it alive, and is it ready."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from services.gateway.api.schemas import Health, Readiness
from services.gateway.dependencies import HubDep, ReadinessDep, UpdatesConsumerDep
from services.gateway.http.responses import Json
from services.gateway.live.updates_consumer import UpdatesConsumer
from services.gateway.queries.service_status import SILENT_AFTER, ServiceStatus
from shared.errors import PagestreamError
from shared.runtime import logs
from shared.storage.blobs import Blobs
from shared.storage.mongo import PyMongoError, Row

log = logs.get(__name__)

router = APIRouter(tags=["health"])

_WITHIN: Final = 3.0  # seconds for one check


@router.get("/healthz", response_model=Health, summary="Alive")
async def alive() -> Response:
    """The process answers."""
    return Json({"status": "alive"})


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Something is missing"}},
    summary="Ready, or what is missing",
)
async def ready(hub: HubDep, updates: UpdatesConsumerDep, readiness: ReadinessDep) -> Response:
    """`{"ready", "checks": {name: "ok" or a sentence}}`; 503 while anything is missing."""
    checks = {
        "gateway": "it is being restarted" if hub.closing.is_set() else "ok",
        "updates": "ok" if updates.ready.is_set() else "the positions in the topic updates are not fixed yet",
        **await readiness.get(),
    }
    is_ready = all(said == "ok" for said in checks.values())
    return Json({"ready": is_ready, "checks": checks}, status_code=200 if is_ready else 503)


async def look(feed: UpdatesConsumer, blobs: Blobs, status: ServiceStatus) -> dict[str, str]:
    """What the outside parts say. It costs each of them a call, and the store a write."""
    broker, store = await _check("broker", feed.ping), await _check("store", blobs.check)
    return {"broker": broker, "store": store, **await _database(status)}


async def _database(status: ServiceStatus) -> dict[str, str]:
    rows: list[Row | None] = []

    async def read() -> None:
        await status.ping()
        rows.append(await status.projector())

    database = await _check("database", read)
    state = projection_state(rows[0]) if rows else "unknown while the database is away"
    return {"database": database, "projection": state}


def projection_state(row: Row | None) -> str:
    """ "ok", or a sentence with the reason why the views cannot be trusted."""
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


async def _check(name: str, probe: Callable[[], Awaitable[None]]) -> str:
    """ "ok", or a sentence that names no machine: this call needs no key. The log has the driver's words."""
    try:
        async with asyncio.timeout(_WITHIN):
            await probe()
    except TimeoutError:
        return f"no answer within {_WITHIN:.0f} seconds"
    except (PagestreamError, PyMongoError, OSError) as error:
        log.warning("a part does not answer", part=name, reason=str(error))
        is_full = isinstance(error, PagestreamError) and error.code == "store_full"
        return f"the {name} is full" if is_full else f"the {name} does not answer"
    return "ok"
