"""The gateway, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware

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
    resumable,
    search,
    sharing,
    system,
    web,
)
from services.gateway.access import Doorkeeper, Guard, SignIn
from services.gateway.claims import Claims
from services.gateway.context import Gateway
from services.gateway.embedder import Embedder
from services.gateway.feed import Feed
from services.gateway.hub import Hub
from services.gateway.keyring import Keyring
from services.gateway.limits import Allotment, BodyPace, Limits, Pace
from services.gateway.metrics import Counted, Metrics
from services.gateway.mongo import Projections, Status
from services.gateway.parts import ResumableUploads
from services.gateway.past import Past
from services.gateway.pictures import Pictures
from services.gateway.places import Places
from services.gateway.quotas import Quotas
from services.gateway.recent import Recent
from services.gateway.settings import GatewaySettings
from services.gateway.sockets import Sockets
from services.gateway.sse import Streams
from services.gateway.ticks import Ticks
from services.gateway.tokens import Tokens
from services.gateway.traced import Traced
from services.gateway.uploads import Uploads
from services.gateway.vectors import Vectors
from shared import blobs as names
from shared import kafka, mongo, topics
from shared.blobs import Blobs
from shared.keys import Keys

APPEND_WITHIN = 10.0  # seconds until an upload is answered with 503
READY_FOR = 1.0  # seconds for which an answer of /readyz is good


@asynccontextmanager
async def connect(settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """A gateway connected to broker, database and store. Raises topics.WrongTopic, Rejected("no_keys")."""
    used = [t for t in topics.all_topics(settings.partitions) if t.name in (topics.DOCUMENTS, topics.UPDATES)]
    await topics.verify(settings.kafka, used)
    blobs = Blobs.open(settings.store)
    async with (
        mongo.connect(settings) as database,
        kafka.connect(settings.kafka, APPEND_WITHIN) as log,
        Embedder(settings.cache) as embedder,
        Pictures(blobs, settings.images_at_once) as pictures,
    ):
        tokens = Tokens(database)
        keyring = Keyring(Keys(database), tokens, open_house=settings.open_house)
        await keyring.prepare(settings.gateway_host)
        claims = Claims(database)
        limits = {"max_bytes": settings.max_upload, "at_once": settings.uploads_at_once}
        projections = Projections(database)
        quotas = Quotas(projections, settings.quotas)
        uploads = Uploads(blobs, claims, log, quotas, await claims.prepare(), **limits)
        metrics = Metrics()
        hub = Hub(projections, metrics.delivered, accepted=lambda key: blobs.exists(names.meta(*key)))
        await hub.start()
        doorkeeper = Doorkeeper(settings.origins, trust_network=settings.gateway_trust_network)
        each, status = limits_of(settings), Status(database)
        feed = Feed(settings.kafka, settings.partitions, on_updates=hub.receive, on_gap=hub.reload)
        yield Gateway(
            blobs=blobs,
            log=log,
            claims=claims,
            uploads=uploads,
            quotas=quotas,
            resumable=ResumableUploads(database, blobs, uploads, quotas),
            ticks=Ticks(log.tick),
            projections=projections,
            status=status,
            metrics=metrics,
            embedder=embedder,
            vectors=Vectors(projections),
            pictures=pictures,
            past=Past(projections, settings.kafka, settings.partitions),
            hub=hub,
            feed=feed,
            readiness=Recent(partial(health.look, feed, blobs, status), READY_FOR),
            sockets=Sockets(hub, doorkeeper, keyring, each, most_subscriptions=settings.subscriptions_per_socket),
            streams=Streams(hub, each),
            doorkeeper=doorkeeper,
            keyring=keyring,
            tokens=tokens,
            limits=each,
            searches=Places(search.AT_ONCE, "too_many_at_once", search.QUEUE_SECONDS),
        )


def limits_of(settings: GatewaySettings) -> Limits:
    """What one key and one address may have in hand."""
    return Limits(
        waiting=Allotment("too_many_connections", settings.waiting_connections_each),
        connections=Allotment("too_many_connections", settings.connections_each),
        subscriptions=Allotment("too_many_subscriptions_in_all", settings.subscriptions_each),
        uploads=Allotment("too_many_uploads_at_once", settings.uploads_each),
        upload_bytes=Allotment("too_many_upload_bytes", settings.upload_bytes_each),
        frames=Pace(settings.frames_per_second_each),
        requests=Pace(settings.requests_per_second_each),
        pace=BodyPace(settings.upload_bytes_per_second, settings.upload_seconds),
    )


def build(gateway: Gateway, settings: GatewaySettings) -> FastAPI:
    """The HTTP side. What is added last sees a request first."""
    app = FastAPI(
        title="Pagestream",
        description="Documents in, progress live, results out.",
        docs_url=None,
        redoc_url=None,
        dependencies=[Security(HTTPBearer(auto_error=False, description="An API key, or a token for one document."))],
    )
    app.state.gateway = gateway
    app.add_middleware(
        SignIn, keyring=gateway.keyring, limits=gateway.limits, metrics_need_key=settings.metrics == "key"
    )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["*"],
    )
    app.add_middleware(Guard, doorkeeper=gateway.doorkeeper, keyring=gateway.keyring)
    app.add_middleware(Counted, metrics=gateway.metrics)
    app.add_middleware(Traced)
    answers.install(app)
    for module in (documents, resumable, results, search, control, jobs, live, sharing, health, system, docs):
        app.include_router(module.router)
    app.include_router(web.routes(web.load()))
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    return app
