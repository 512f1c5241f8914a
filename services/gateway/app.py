"""The gateway, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from services.gateway import (
    answers,
    control,
    docs,
    documents,
    health,
    jobs,
    live,
    openapi,
    results,
    search,
    system,
    web,
)
from services.gateway.access import Doorkeeper, Guard
from services.gateway.claims import Claims
from services.gateway.context import Gateway
from services.gateway.embedder import Embedder
from services.gateway.feed import Feed
from services.gateway.hub import Hub
from services.gateway.metrics import Counted, Metrics
from services.gateway.mongo import Projections, Status
from services.gateway.settings import GatewaySettings
from services.gateway.sockets import Sockets
from services.gateway.sse import Streams
from services.gateway.ticks import Ticks
from services.gateway.traced import Traced
from services.gateway.uploads import Uploads
from services.gateway.vectors import Vectors
from shared import kafka, mongo, topics
from shared.blobs import Blobs

APPEND_WITHIN = 10.0  # seconds until an upload is answered with 503


@asynccontextmanager
async def connect(settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """A gateway connected to broker, database and store. Raises topics.WrongTopic."""
    used = [t for t in topics.all_topics(settings.partitions) if t.name in (topics.DOCUMENTS, topics.UPDATES)]
    await topics.verify(settings.kafka, used)
    blobs = Blobs.open(settings.store)
    async with (
        mongo.connect(settings) as database,
        kafka.connect(settings.kafka, APPEND_WITHIN) as log,
        Embedder(settings.cache) as embedder,
    ):
        claims = Claims(database)
        limits = {"max_bytes": settings.max_upload, "at_once": settings.uploads_at_once}
        projections = Projections(database)
        metrics = Metrics()
        hub = Hub(projections, metrics.delivered)
        await hub.start()
        doorkeeper = Doorkeeper(settings.origins)
        yield Gateway(
            blobs=blobs,
            log=log,
            claims=claims,
            uploads=Uploads(blobs, claims, log, await claims.prepare(), **limits),
            ticks=Ticks(log.tick),
            projections=projections,
            status=Status(database),
            metrics=metrics,
            embedder=embedder,
            vectors=Vectors(projections),
            hub=hub,
            feed=Feed(settings.kafka, settings.partitions, on_updates=hub.receive, on_gap=hub.reload),
            sockets=Sockets(hub, doorkeeper, most_subscriptions=settings.subscriptions_per_socket),
            streams=Streams(hub),
            doorkeeper=doorkeeper,
        )


def build(gateway: Gateway) -> FastAPI:
    """The HTTP side."""
    app = FastAPI(
        title="Pagestream", description="Documents in, progress live, results out.", docs_url=None, redoc_url=None
    )
    app.state.gateway = gateway
    app.add_middleware(Guard, doorkeeper=gateway.doorkeeper)
    app.add_middleware(Counted, metrics=gateway.metrics)
    app.add_middleware(Traced)
    answers.install(app)
    for module in (documents, results, search, control, jobs, live, health, system, docs):
        app.include_router(module.router)
    app.include_router(web.routes(web.load()))
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    return app
