"""The gateway, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from services.gateway.api import (
    commands,
    docs,
    documents,
    health,
    jobs,
    live,
    results,
    search,
    system,
    tokens,
    tus_uploads,
)
from services.gateway.auth.authenticator import Authenticator
from services.gateway.auth.limits import Allotment, BodyPace, Limits, Pace
from services.gateway.auth.origins import OriginPolicy
from services.gateway.auth.tokens import Tokens
from services.gateway.concurrency.fair_slots import FairSlots
from services.gateway.concurrency.short_cache import ShortCache
from services.gateway.dependencies import Gateway
from services.gateway.http import openapi, responses, static
from services.gateway.http.middleware import (
    AuthenticationMiddleware,
    MetricsMiddleware,
    OriginMiddleware,
    TracingMiddleware,
)
from services.gateway.live.document_reader import DocumentReader
from services.gateway.live.hub import Hub
from services.gateway.live.sse import EventStreams
from services.gateway.live.tick_throttle import TickThrottle
from services.gateway.live.update_dispatcher import UpdateDispatcher
from services.gateway.live.updates_consumer import UpdatesConsumer
from services.gateway.live.websocket import WebSockets
from services.gateway.metrics import Metrics
from services.gateway.queries.page_images import PageImages
from services.gateway.queries.projections import Projections
from services.gateway.queries.service_status import ServiceStatus
from services.gateway.queries.time_travel import TimeTravel
from services.gateway.search.searcher import Searcher
from services.gateway.settings import GatewaySettings
from services.gateway.uploads.ingest import Uploads
from services.gateway.uploads.quotas import Quotas
from services.gateway.uploads.resumable import ResumableUploads
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.storage import blob_names, mongo
from shared.storage.api_keys import Keys
from shared.storage.blobs import Blobs
from shared.storage.upload_claims import Claims

APPEND_WITHIN = 10.0  # seconds until an upload is answered with 503
QUERY_WITHIN = 10.0  # seconds of one call to the database
READY_FOR = 1.0  # seconds for which an answer of /readyz is good


@asynccontextmanager
async def connect(settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """A gateway connected to broker, database and store. Raises topics.WrongTopic, Rejected("no_keys")."""
    used = [t for t in topics.all_topics(settings.partitions) if t.name in (topics.DOCUMENTS, topics.UPDATES)]
    await topics.verify(settings.kafka, used)
    blobs = Blobs.open(settings.store)
    async with (
        mongo.connect(settings, within=QUERY_WITHIN) as database,
        Producer.connect(settings.kafka, APPEND_WITHIN) as producer,
        Searcher(settings.search or settings.cache / "search", settings.cache) as searcher,
        PageImages(blobs, settings.images_at_once) as pictures,
    ):
        tokens = Tokens(database)
        authenticator = Authenticator(Keys(database), tokens, open_house=settings.open_house)
        await authenticator.prepare(settings.gateway_host)
        claims = Claims(database)
        limits = {"max_bytes": settings.max_upload, "at_once": settings.uploads_at_once}
        projections = Projections(database)
        quotas = Quotas(projections, settings.quotas)
        uploads = Uploads(blobs, claims, producer, quotas, await claims.prepare(), **limits)
        metrics = Metrics()
        reader = DocumentReader(projections, accepted=lambda key: blobs.exists(blob_names.meta(*key)))
        await reader.start()
        hub = Hub(reader, metrics.delivered)
        dispatcher = UpdateDispatcher(reader, hub, searcher.look)
        origin_policy = OriginPolicy(settings.origins, trust_network=settings.gateway_trust_network)
        each, status = limits_of(settings), ServiceStatus(database)
        feed = UpdatesConsumer(
            settings.kafka, settings.partitions, on_updates=dispatcher.receive, on_gap=dispatcher.reload
        )
        yield Gateway(
            blobs=blobs,
            producer=producer,
            claims=claims,
            uploads=uploads,
            quotas=quotas,
            resumable_uploads=ResumableUploads(database, blobs, uploads, quotas),
            tick_throttle=TickThrottle(producer.tick),
            projections=projections,
            service_status=status,
            metrics=metrics,
            searcher=searcher,
            page_images=pictures,
            time_travel=TimeTravel(projections, settings.kafka, settings.partitions),
            reader=reader,
            hub=hub,
            dispatcher=dispatcher,
            updates=feed,
            readiness=ShortCache(partial(health.look, feed, blobs, status), READY_FOR),
            websockets=WebSockets(
                hub, origin_policy, authenticator, each, max_subscriptions=settings.subscriptions_per_socket
            ),
            event_streams=EventStreams(hub, each),
            origin_policy=origin_policy,
            authenticator=authenticator,
            tokens=tokens,
            limits=each,
            search_slots=FairSlots(search.AT_ONCE, "too_many_at_once", search.QUEUE_SECONDS),
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
        generate_unique_id_function=openapi.operation_id,
        dependencies=[Security(HTTPBearer(auto_error=False, description="An API key, or a token for one document."))],
    )
    app.state.gateway = gateway
    app.add_middleware(
        AuthenticationMiddleware,
        authenticator=gateway.authenticator,
        limits=gateway.limits,
        metrics_need_key=settings.metrics == "key",
    )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["*"],
    )
    app.add_middleware(OriginMiddleware, origin_policy=gateway.origin_policy, authenticator=gateway.authenticator)
    app.add_middleware(MetricsMiddleware, observe=gateway.metrics.request)
    app.add_middleware(TracingMiddleware)
    responses.install(app)
    for module in (documents, tus_uploads, results, search, commands, jobs, live, tokens, health, system, docs):
        app.include_router(module.router)
    app.include_router(static.routes(static.load()))
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    return app
