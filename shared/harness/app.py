"""A stage's process: its coordinator, its worker, or on one machine both."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final

from shared.events.pipeline import rank_of
from shared.harness.coordinator.fold import CoordinatorFold
from shared.harness.coordinator.start import checkpoint_of
from shared.harness.sandbox import temp_folders
from shared.harness.sandbox.pool import Pool
from shared.harness.settings import StageSettings
from shared.harness.worker.acknowledged import Acknowledged
from shared.harness.worker.consumer import Consumer
from shared.harness.worker.inputs import Inputs
from shared.harness.worker.slices import SliceRunner
from shared.harness.worker.worker import Worker
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.projecting import heartbeat
from shared.projecting.loop import Loop
from shared.runtime import logs
from shared.runtime.process import run
from shared.runtime.settings import read
from shared.runtime.slot import run_in_slot
from shared.storage import mongo
from shared.storage.blobs import Blobs
from shared.storage.leases import Leases, Owner, Ownership, Workers, holding
from shared.storage.mongo import Mongo

log = logs.get(__name__)

_PATIENCE: Final = (
    1.0  # seconds; no other process reads assignments, and a page that is done is soon followed by the next
)
_SPARE: Final = 1  # child for what is short, while all others have or wait for a core


def main(stage: str, module: str, *, slots: int | None = None) -> None:
    """Run the stage whose `plan`, `work` and `conclude` are in `module`, until SIGTERM.

    A stage that waits for the network sets its number of `slots`: slices in hand at the same time. The children of
    all others have no network.
    """
    settings = read(StageSettings)
    if slots:
        settings = settings.model_copy(update={"children": slots})
    logs.configure(stage, settings.log_level)

    def serve_slot(settings: StageSettings) -> Coroutine[Any, Any, None]:
        return serve(stage, module, settings, online=slots is not None)

    run(run_in_slot(stage, settings, serve_slot), settings.heartbeat, settings.blocked_seconds)


async def serve(stage: str, module: str, settings: StageSettings, *, online: bool) -> None:
    """Run the roles that the settings ask for."""
    needed = {topics.DOCUMENTS, topics.PROGRESS, topics.PARKED, topics.slices(stage)}
    await topics.verify(settings.kafka, [t for t in topics.all_topics(settings.partitions) if t.name in needed])
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(mongo.connect(settings, mongo.ELECTION))
        producer = await stack.enter_async_context(Producer.connect(settings.kafka))
        owner = Owner.of(f"{settings.slot}/{stage}")
        pool = Pool(module, settings.children + _SPARE, settings.child_idle_seconds, online=online)
        async with asyncio.TaskGroup() as roles:
            if settings.role != "coordinator":
                roles.create_task(work(stage, pool, settings, database, producer, owner))
            if settings.role != "worker":
                roles.create_task(coordinate(stage, settings, database, producer, owner))


async def work(
    stage: str, pool: Pool, settings: StageSettings, database: Mongo, producer: Producer, owner: Owner
) -> None:
    """Do slices until the process ends."""
    await asyncio.to_thread(temp_folders.sweep)
    blobs = Blobs.open(settings.store)
    worker = Worker(
        stage=stage,
        producer=producer,
        mongo=database,
        leases=Leases(database, owner),
        slice_runner=SliceRunner(settings, producer, blobs, Inputs(blobs), rank_of(stage)),
        pool=pool,
    )
    log.info("worker starts", slots=settings.children)
    await Consumer(worker, settings, owner, Workers(database)).run()


async def coordinate(stage: str, settings: StageSettings, database: Mongo, producer: Producer, owner: Owner) -> None:
    """Be the stage's one coordinator as soon as no other is."""
    async with holding(Ownership(database, f"coordinator/{stage}", owner)):
        blobs = Blobs.open(settings.store)
        checkpoint = await checkpoint_of(stage, database, settings.partitions, settings.kafka, blobs)
        taken = Acknowledged(settings.kafka, stage)
        coordination = CoordinatorFold(stage, database, producer, settings.max_attempts, taken.offsets)
        await coordination.start()
        log.info("coordinator starts")
        loop = Loop(settings.kafka, checkpoint, coordination, patience=_PATIENCE)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(loop.run())
                name = f"coordinator/{stage}"
                tasks.create_task(heartbeat.publish_regularly(database, name, loop, coordination.status))
        finally:
            await taken.close()
