"""The progress service: one live projection, and standbys that wait for their turn."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

from services.progress.deciders.janitor import Janitor
from services.progress.handlers import Handover, LiveProjection
from services.progress.projection import generations
from services.progress.projection.projector import Projector, announce_epoch
from services.progress.projection.snapshot_export import SnapshotExport
from services.progress.projection.stored_results import StoredResults
from services.progress.projection.tenant_totals import TenantTotals
from services.progress.rebuild import handover
from services.progress.rebuild.snapshot_start import begin_at_snapshot
from services.progress.settings import ProgressSettings
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.projecting import heartbeat
from shared.projecting.loop import Loop
from shared.runtime import logs
from shared.storage import mongo
from shared.storage.blobs import Blobs
from shared.storage.leases import Owner, Ownership, answered
from shared.storage.mongo import Mongo

log = logs.get(__name__)

_TOPICS = {topics.DOCUMENTS, topics.PROGRESS, topics.UPDATES, topics.PARKED}


async def serve(settings: ProgressSettings) -> None:
    """Fold until the process ends, as soon as no other instance folds."""
    await topics.verify(settings.kafka, [t for t in topics.all_topics(settings.partitions) if t.name in _TOPICS])
    blobs = Blobs.open(settings.store)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(mongo.connect(settings, mongo.ELECTION))
        producer = await stack.enter_async_context(Producer.connect(settings.kafka))
        owner = Owner.of(f"{settings.slot}/progress")
        ownership = Ownership(database, generations.OWNERSHIP, owner)
        await stack.enter_async_context(handover.turn(database, ownership))
        fill = partial(begin_at_snapshot, settings, database, partial(_tell, database))
        generation = await generations.live(database, settings.partitions, fill)
        checkpoint = generations.checkpoint(database, generation)
        totals = TenantTotals(database, generation, ownership.term)
        await totals.start(await checkpoint.load())
        projector = Projector(database, generation, blobs, producer, totals)
        live = LiveProjection(
            database, blobs, projector, StoredResults(database, generation, blobs), producer, settings.loaders
        )
        await live.start()
        await announce_epoch(producer, generation)
        log.info("projector starts", generation=generation)
        loop = Loop(settings.kafka, checkpoint, live, due=live.due)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(loop.run())
                tasks.create_task(live.append())
                tasks.create_task(live.store_old(loop))
                tasks.create_task(live.sweep(loop))
                tasks.create_task(live.report(loop))
                tasks.create_task(live.tidy(loop, Janitor(database, generation, blobs)))
                export = SnapshotExport(database, generation, blobs, settings.snapshot_facts)
                tasks.create_task(live.keep_snapshots(loop, export))
        except* Handover:
            log.info("makes way for a rebuild", generation=generation)
        finally:
            await live.close()


class _Restoring(NamedTuple):
    """The standing of a fold that takes up a snapshot."""

    lag: int
    caught_up: bool = False
    halted: str | None = None


async def _tell(database: Mongo, facts: int, of: int) -> None:
    """Show how far the start from a snapshot is, as a lag behind the log."""
    await answered(partial(heartbeat.publish, database, "progress", _Restoring(of - facts)))
