"""The gateway without HTTP: the real uploads, claims, hub and feed, put together as `services.gateway.app` does."""

import asyncio
from types import SimpleNamespace
from typing import Any

from services.gateway.claims import Claims
from services.gateway.feed import Feed
from services.gateway.hub import Hub
from services.gateway.mongo import Projections
from services.gateway.parts import ResumableUploads
from services.gateway.quotas import Quotas
from services.gateway.uploads import Uploads
from shared import blobs as names
from shared import kafka, mongo
from shared.blobs import Blobs
from shared.settings import SharedSettings

_APPEND_WITHIN = 10.0


async def serve_gateway(world: Any, settings: SharedSettings) -> None:
    """Be a gateway; `world.gateway` is its parts for as long as it is ready."""
    blobs = Blobs.open(settings.store)
    async with mongo.connect(settings) as database, kafka.connect(settings.kafka, _APPEND_WITHIN) as log:
        claims, projections = Claims(database), Projections(database)
        quotas = Quotas(projections, {})
        uploads = Uploads(blobs, claims, log, quotas, await claims.prepare(), max_bytes=1_000_000, at_once=8)
        hub = Hub(projections, lambda _: None, accepted=lambda key: blobs.exists(names.meta(*key)))
        await hub.start()
        feed = Feed(settings.kafka, settings.partitions, on_updates=hub.receive, on_gap=hub.reload)
        parts = SimpleNamespace(
            uploads=uploads, hub=hub, claims=claims, log=log, feed=feed, process=world.loop.process,
            resumable=ResumableUploads(database, blobs, uploads, quotas), projections=projections,
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed.run())
            await feed.ready.wait()
            world.gateway = parts
