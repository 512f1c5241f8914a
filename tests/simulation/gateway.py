"""The gateway without HTTP: the real uploads, claims, hub and feed, put together as `services.gateway.app` does."""

import asyncio
from types import SimpleNamespace
from typing import Any

from services.gateway.live.document_reader import DocumentReader
from services.gateway.live.hub import Hub
from services.gateway.live.update_dispatcher import UpdateDispatcher
from services.gateway.live.updates_consumer import UpdatesConsumer
from services.gateway.queries.projections import Projections
from services.gateway.uploads.ingest import Uploads
from services.gateway.uploads.quotas import Quotas
from services.gateway.uploads.resumable import ResumableUploads
from shared.kafka.producer import Producer
from shared.runtime.settings import SharedSettings
from shared.storage import blob_names, mongo
from shared.storage.blobs import Blobs
from shared.storage.upload_claims import Claims

_APPEND_WITHIN = 10.0


async def serve_gateway(world: Any, settings: SharedSettings) -> None:
    """Be a gateway; `world.gateway` is its parts for as long as it is ready."""
    blobs = Blobs.open(settings.store)
    async with mongo.connect(settings) as database, Producer.connect(settings.kafka, _APPEND_WITHIN) as producer:
        claims, projections = Claims(database), Projections(database)
        quotas = Quotas(projections, {})
        uploads = Uploads(blobs, claims, producer, quotas, await claims.prepare(), max_bytes=1_000_000, at_once=8)
        reader = DocumentReader(projections, accepted=lambda key: blobs.exists(blob_names.meta(*key)))
        await reader.start()
        hub = Hub(reader, lambda _: None)
        dispatcher = UpdateDispatcher(reader, hub)
        feed = UpdatesConsumer(
            settings.kafka, settings.partitions, on_updates=dispatcher.receive, on_gap=dispatcher.reload
        )
        parts = SimpleNamespace(
            uploads=uploads, hub=hub, reader=reader, claims=claims, producer=producer, feed=feed,
            process=world.loop.process,
            resumable_uploads=ResumableUploads(database, blobs, uploads, quotas), projections=projections,
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed.run())
            await feed.ready.wait()
            world.gateway = parts
