"""How the whole system is doing: for people and programs (`/v1/system`), and for Prometheus (`/metrics`)."""

import asyncio
import hashlib
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from services.gateway.api.health import silence
from services.gateway.api.schemas import System
from services.gateway.dependencies import (
    EventStreamsDep,
    MetricsDep,
    ProjectionsDep,
    ServiceStatusDep,
    Tenant,
    UpdatesConsumerDep,
    WebSocketsDep,
)
from services.gateway.http.responses import Json
from services.gateway.metrics import CONTENT_TYPE, SystemSnapshot
from services.gateway.queries.projections import Projections
from services.gateway.queries.service_status import SILENT_AFTER, ServiceStatus
from shared.kafka import topics
from shared.storage.credentials import DEFAULT_TENANT
from shared.storage.mongo import PyMongoError, Row

router = APIRouter(tags=["system"])

_WITHIN: Final = 3.0  # seconds for what the database knows


@router.get("/v1/system", response_model=System, summary="Workers, lag, halted folds, failures by code, parked records")
async def system(
    service_status: ServiceStatusDep,
    projections: ProjectionsDep,
    updates: UpdatesConsumerDep,
    websockets: WebSocketsDep,
    event_streams: EventStreamsDep,
    tenant: Tenant,
) -> Response:
    """What is known of all services; folds that have been silent for long are marked."""
    workers = await service_status.workers()
    folds = [{**_named(row), "silent": silence(row) > SILENT_AFTER} for row in await service_status.folds()]
    return Json(
        {
            "workers": [{**_named(row), "name": seen_by(tenant, row["_id"])} for row in workers],
            "stages": await service_status.stages(workers),
            "folds": folds,
            "lag": sum(int(fold.get("lag") or 0) for fold in folds),
            "circulating": sum(int(fold.get("circulating") or 0) for fold in folds),
            "halted": [fold["name"] for fold in folds if fold.get("halted")],
            "failures": (await projections.totals(tenant)).failures(),
            "parked": await updates.kept(topics.PARKED),
            "connections": {"sockets": len(websockets.open), "streams": len(event_streams.open)},
            "epoch": projections.generation,
        }
    )


@router.get("/metrics", response_class=PlainTextResponse, summary="The same for Prometheus, of all tenants together")
async def metrics(
    metrics: MetricsDep,
    websockets: WebSocketsDep,
    event_streams: EventStreamsDep,
    service_status: ServiceStatusDep,
    projections: ProjectionsDep,
) -> Response:
    """While the database is away only what this gateway has counted itself."""
    try:
        async with asyncio.timeout(_WITHIN):
            known = await _knowledge(service_status, projections)
    except (TimeoutError, PyMongoError):
        known = None
    exposition = metrics.exposition(websockets, event_streams, known)
    return Response(exposition, media_type=CONTENT_TYPE)


async def _knowledge(service_status: ServiceStatus, projections: Projections) -> SystemSnapshot:
    return SystemSnapshot(
        folds=await service_status.folds(),
        stages=await service_status.stages(await service_status.workers()),
        totals=await projections.totals(None),
    )


def seen_by(tenant: str, slot: str) -> str:
    """A worker's name; the machine in it is named to its own tenant, to others it is a mark."""
    machine, slash, rest = slot.partition("/")
    if tenant == DEFAULT_TENANT:
        return slot
    return hashlib.sha256(machine.encode()).hexdigest()[:8] + slash + rest


def _named(row: Row) -> dict[str, Any]:
    return {"name": row["_id"], **{name: value for name, value in row.items() if name not in ("_id", "silent_seconds")}}
