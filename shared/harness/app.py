"""A stage's process: its coordinator, its worker, or on one machine both."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from shared import kafka, logs, mongo, status, topics
from shared.blobs import Blobs
from shared.folding import Loop
from shared.harness import folders
from shared.harness.children import Pool
from shared.harness.consumer import Consumer
from shared.harness.coordination import Coordination, checkpoint_of
from shared.harness.inputs import Inputs
from shared.harness.pieces import Pieces
from shared.harness.settings import StageSettings
from shared.harness.taken import Taken
from shared.harness.worker import Worker
from shared.kafka import Log
from shared.leases import Leases, Owner, Ownership, Workers, holding
from shared.mongo import Mongo
from shared.pipeline import rank_of
from shared.process import run
from shared.settings import read

log = logs.get(__name__)

_PATIENCE: Final = 1.0  # seconds; nobody else reads assignments, and a page that is done is soon followed by the next
_SPARE: Final = 1  # child for what is short, while all others have or wait for a core


def main(stage: str, module: str, *, slots: int | None = None) -> None:
    """Run the stage whose `plan`, `work` and `conclude` are in `module`, until SIGTERM.

    A stage that waits for the network says how many `slots` it has: slices in hand at the same time. The children of
    all others have no network.
    """
    settings = read(StageSettings)
    if slots:
        settings = settings.model_copy(update={"children": slots})
    logs.configure(stage, settings.log_level)
    run(serve(stage, module, settings, online=slots is not None), settings.heartbeat)


async def serve(stage: str, module: str, settings: StageSettings, *, online: bool) -> None:
    """Run the roles that the settings ask for."""
    needed = {topics.DOCUMENTS, topics.PROGRESS, topics.PARKED, topics.slices(stage)}
    await topics.verify(settings.kafka, [t for t in topics.all_topics(settings.partitions) if t.name in needed])
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(mongo.connect(settings, mongo.ELECTION))
        sink = await stack.enter_async_context(kafka.connect(settings.kafka))
        owner = Owner.of(f"{settings.slot}/{stage}")
        pool = Pool(module, settings.children + _SPARE, settings.child_idle_seconds, online=online)
        async with asyncio.TaskGroup() as roles:
            if settings.role != "coordinator":
                roles.create_task(work(stage, pool, settings, database, sink, owner))
            if settings.role != "worker":
                roles.create_task(coordinate(stage, settings, database, sink, owner))


async def work(stage: str, pool: Pool, settings: StageSettings, database: Mongo, sink: Log, owner: Owner) -> None:
    """Do slices for ever."""
    await asyncio.to_thread(folders.sweep)
    blobs = Blobs.open(settings.store)
    worker = Worker(
        stage=stage,
        log=sink,
        mongo=database,
        leases=Leases(database, owner),
        pieces=Pieces(settings, sink, blobs, Inputs(blobs), rank_of(stage)),
        pool=pool,
    )
    log.info("worker starts", slots=settings.children)
    await Consumer(worker, settings, owner, Workers(database)).run()


async def coordinate(stage: str, settings: StageSettings, database: Mongo, sink: Log, owner: Owner) -> None:
    """Be the stage's one coordinator as soon as no other is."""
    async with holding(Ownership(database, f"coordinator/{stage}", owner)):
        checkpoint = await checkpoint_of(stage, database, settings.partitions)
        taken = Taken(settings.kafka, stage)
        coordination = Coordination(stage, database, sink, settings.max_attempts, taken.offsets)
        await coordination.start()
        log.info("coordinator starts")
        loop = Loop(settings.kafka, checkpoint, coordination, patience=_PATIENCE)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(loop.run())
                tasks.create_task(status.telling(database, f"coordinator/{stage}", loop, coordination.told))
        finally:
            await taken.close()
