"""Builds a generation beside the live one: it has no producer, so it cannot act on the world."""

import time
from collections.abc import Callable
from typing import Final

from services.progress.projection import generations
from services.progress.projection.projector import Projector
from services.progress.projection.result_backlog import ResultBacklog
from services.progress.projection.stored_results import StoredResults
from services.progress.rebuild import replay_pool
from services.progress.rebuild.snapshot_start import begin_at_snapshot
from services.progress.settings import ProgressSettings
from shared.kafka.consumer import consuming
from shared.projecting.batch import Batch
from shared.projecting.checkpoint import ALL_PARTITIONS, Positions, Share
from shared.projecting.loop import Loop, Write
from shared.projecting.snapshots import Snapshot, Snapshots
from shared.storage.blobs import Blobs
from shared.storage.mongo import TOTALS, Mongo

OnProgress = Callable[[int, int], None]  # records that are folded, records there are

_PUBLISH_SECONDS: Final = 0.5
_LONG: Final = 20_000  # records; the start of another process costs as much time as some thousand


class Builder:
    """Folds the log, or its share of it, into one generation from where the checkpoint stands: a killed one goes on."""

    def __init__(
        self,
        settings: ProgressSettings,
        database: Mongo,
        generation: str,
        on_progress: OnProgress,
        share: Share = ALL_PARTITIONS,
    ) -> None:
        self._settings = settings
        self._database = database
        self._blobs = Blobs.open(settings.store)
        self._projector = self._projector_of(generation)
        self._on_progress = on_progress
        self._folded = self._total = 0
        self._published_at = 0.0
        self.generation = generation
        self.checkpoint = generations.checkpoint(database, generation, share)

    async def begin_at_snapshot(self, until: Positions) -> Snapshot | None:
        """Take up the newest snapshot of the log, if there is one and nothing is folded yet; see `snapshot_start`."""

        async def tell(facts: int, _: int) -> None:
            self._on_progress(facts, sum(until.values()))
            await generations.note_restored(self._database, self.generation, facts)

        return await begin_at_snapshot(self._settings, self._database, tell, self.generation)

    async def follow(self, until: Positions) -> None:
        """Fold until the positions are reached, a long way in several processes."""
        # What an earlier life of it counted: here nothing is, so its next projector counts anew.
        await self._database.projection(TOTALS, self.generation).drop()
        self._folded, self._total = sum((await self.checkpoint.load()).values()), sum(until.values())
        if self._total - self._folded > _LONG:
            await replay_pool.replay(self.generation, until, self._on)
            self._projector = self._projector_of(self.generation)  # the one before remembers what is past
        await self.fold(until)

    async def fold(self, until: Positions) -> None:
        """Fold until the positions are reached, in this process."""
        await Loop(self._settings.kafka, self.checkpoint, self).run(until=until)

    async def apply(self, batch: Batch) -> Write:
        """One batch of the loop."""
        write = await self._projector.apply(batch)
        self._on(len(batch))
        return write

    def _on(self, records: int) -> None:
        self._folded += records
        if time.monotonic() - self._published_at > _PUBLISH_SECONDS:
            self._published_at = time.monotonic()
            self._on_progress(self._folded, self._total)

    async def decide(self) -> bool:
        """Decisions are the live projection's."""
        return False

    async def barrier(self, live: str | None) -> Positions:
        """Where the projection of `live` stands; where there is none, the end of the log."""
        if live and await generations.checkpoint(self._database, live).exists():
            return await generations.checkpoint(self._database, live).load()
        async with consuming(self._settings.kafka) as consumer:
            ends: Positions = await consumer.end_offsets(list(await self.checkpoint.load()))
            return ends

    async def store_results(self, generation: str | None) -> None:
        """Store every result that the log names and the collections of `generation` do not have."""
        if generation is None:
            return
        results = StoredResults(self._database, generation, self._blobs)
        await ResultBacklog(results, self._projector_of(generation).states).work_off()

    async def forget_snapshots(self) -> None:
        """Remove every snapshot: they hold states that this generation does not have."""
        await Snapshots(self._blobs).remove()

    def _projector_of(self, generation: str) -> Projector:
        return Projector(self._database, generation, self._blobs, None)
