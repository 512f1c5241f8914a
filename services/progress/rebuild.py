"""Rebuilds the projection from the log: a new generation is built beside the live one, compared, and swapped in.

The world stops only for the last step: the live projector makes way, the new generation reaches the same offsets, both
are compared, the pointer moves. Started as `python -m services.progress.rebuild`; prints JSON lines, the last one the
outcome.
"""

import sys
from contextlib import AsyncExitStack
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from services.progress import digest, generations
from services.progress.projector import Projector, announce_epoch
from services.progress.results import Results
from services.progress.settings import ProgressSettings
from shared import kafka, logs, mongo
from shared.blobs import Blobs
from shared.folding import Checkpoint, Loop, Positions
from shared.leases import Owner, Ownership, holding
from shared.mongo import Mongo
from shared.process import run
from shared.settings import read


async def rebuild(settings: ProgressSettings) -> None:
    """Build, compare, swap."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(mongo.connect(settings))
        before = await database.live_generation()
        new = await generations.begin(database, settings.partitions)
        builder = Builder(settings, database, new)
        say(step="replay", generation=new)
        await builder.follow(await _barrier(settings, database, before, builder.checkpoint))
        if before:
            await generations.ask_to_make_way(database, before)
        owner = Owner.of(f"{settings.slot}/rebuild")
        await stack.enter_async_context(holding(Ownership(database, generations.OWNERSHIP, owner)))
        say(step="stop", generation=new)
        await builder.follow(await _barrier(settings, database, before, builder.checkpoint))
        for generation in (new, before):  # what the live one had no time for is no difference
            await store_results(settings, database, generation)
        outcome = await compare(database, before, new)
        await generations.point(database, new)
        sink = await stack.enter_async_context(kafka.connect(settings.kafka))
        await announce_epoch(sink, new)
        await generations.forget(database, but=[new, *([before] if before else [])])
        say(step="done", generation=new, replaced=before, **outcome)


class Builder:
    """Folds the log into a generation that nobody reads yet; it has no producer, so it cannot act on the world."""

    def __init__(self, settings: ProgressSettings, database: Mongo, generation: str) -> None:
        self._settings = settings
        self._projector = Projector(database, generation, Blobs.open(settings.store), None)
        self.checkpoint = generations.checkpoint(database, generation)

    async def follow(self, until: Positions) -> None:
        """Fold until the positions are reached."""
        await Loop(self._settings.kafka, self.checkpoint, _Quiet(self._projector)).run(until=until)


class _Quiet:
    """A projector that decides nothing."""

    def __init__(self, projector: Projector) -> None:
        self.apply = projector.apply

    async def decide(self) -> None:
        """Decisions are the live projection's."""


async def store_results(settings: ProgressSettings, database: Mongo, generation: str | None) -> None:
    """Store every result that the log names and the collections of `generation` do not have."""
    if generation is None:
        return
    blobs = Blobs.open(settings.store)
    results = Results(database, generation, blobs)
    states = Projector(database, generation, blobs, None).states
    for state in (await states(await results.unloaded())).values():
        await results.load(state)


async def compare(database: Mongo, before: str | None, new: str) -> dict[str, Any]:
    """The digests of both generations and the rows that differ."""
    outcome: dict[str, Any] = {"digest": digest.combined(await digest.of_generation(database, new))}
    if before and await generations.checkpoint(database, before).exists():
        outcome["digest_before"] = digest.combined(await digest.of_generation(database, before))
        outcome["differences"] = await digest.differences(database, before, new)
    return outcome


async def _ends(settings: ProgressSettings, checkpoint: Checkpoint) -> Positions:
    """Where the log ends now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    try:
        ends: Positions = await consumer.end_offsets(list(await checkpoint.load()))
        return ends
    finally:
        await consumer.stop()


async def _barrier(
    settings: ProgressSettings, database: Mongo, before: str | None, checkpoint: Checkpoint
) -> Positions:
    """Where the live projection stands; where there is none, the end of the log."""
    if before and await generations.checkpoint(database, before).exists():
        return await generations.checkpoint(database, before).load()
    return await _ends(settings, checkpoint)


def say(**words: Any) -> None:
    """One JSON line for whoever started this."""
    print(orjson.dumps(words).decode(), flush=True)


if __name__ == "__main__":
    logs.configure("rebuild", "ERROR")
    run(rebuild(read(ProgressSettings)))
    sys.exit(0)
