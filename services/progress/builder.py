"""Builds a generation beside the live one: it has no producer, so it cannot act on the world."""

import time
from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaConsumer

from services.progress import generations
from services.progress.projector import Projector
from services.progress.results import Results
from services.progress.settings import ProgressSettings
from shared import addresses
from shared.blobs import Blobs
from shared.folding import Batch, Loop, Positions, Write
from shared.mongo import Mongo

OnProgress = Callable[[int, int], None]  # records that are folded, records there are

_TELL_SECONDS: Final = 0.5
_LOADED_AT_ONCE: Final = 50  # documents; the results of a book are some megabytes


class Builder:
    """Folds the log into one generation, from where its checkpoint stands: a killed one goes on."""

    def __init__(self, settings: ProgressSettings, database: Mongo, generation: str, on_progress: OnProgress) -> None:
        self._settings = settings
        self._database = database
        self._blobs = Blobs.open(settings.store)
        self._projector = Projector(database, generation, self._blobs, None)
        self._on_progress = on_progress
        self._until: Positions = {}
        self._folded = 0
        self._told_at = 0.0
        self.generation = generation
        self.checkpoint = generations.checkpoint(database, generation)

    async def follow(self, until: Positions) -> None:
        """Fold until the positions are reached."""
        self._until = until
        self._folded = sum((await self.checkpoint.load()).values())
        await Loop(self._settings.kafka, self.checkpoint, self).run(until=until)

    async def apply(self, batch: Batch) -> Write:
        """One batch of the loop."""
        write = await self._projector.apply(batch)
        self._folded += len(batch.entries) + len(batch.jobs) + len(batch.unreadable)
        if time.monotonic() - self._told_at > _TELL_SECONDS:
            self._told_at = time.monotonic()
            self._on_progress(self._folded, sum(self._until.values()))
        return write

    async def decide(self) -> None:
        """Decisions are the live projection's."""

    async def barrier(self, live: str | None) -> Positions:
        """Where the projection of `live` stands; where there is none, the end of the log."""
        if live and await generations.checkpoint(self._database, live).exists():
            return await generations.checkpoint(self._database, live).load()
        consumer = AIOKafkaConsumer(**addresses.options(self._settings.kafka))
        await consumer.start()
        try:
            ends: Positions = await consumer.end_offsets(list(await self.checkpoint.load()))
            return ends
        finally:
            await consumer.stop()

    async def store_results(self, generation: str | None) -> None:
        """Store every result that the log names and the collections of `generation` do not have."""
        if generation is None:
            return
        results = Results(self._database, generation, self._blobs)
        projector = Projector(self._database, generation, self._blobs, None)
        unloaded = await results.unloaded()
        for at in range(0, len(unloaded), _LOADED_AT_ONCE):
            states = await projector.states(unloaded[at : at + _LOADED_AT_ONCE])
            await results.load(list(states.values()))
