"""Lets a generation that has nothing yet begin at a snapshot instead of at the beginning of the log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from services.progress.projection import generations
from services.progress.projection.eraser import erase
from services.progress.rebuild import replay_pool
from services.progress.settings import ProgressSettings
from shared.projecting.snapshots import Snapshot, Snapshots, of_log
from shared.runtime import logs
from shared.runtime.batches import in_batches
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo

log = logs.get(__name__)

_AT_ONCE: Final = 500  # deleted documents

_TELL_SECONDS: Final = 1.0

Tell = Callable[[int, int], Awaitable[None]]  # facts that are in what was taken up, facts in the snapshot


async def begin_at_snapshot(
    settings: ProgressSettings, database: Mongo, tell: Tell, generation: str
) -> Snapshot | None:
    """Take up the newest snapshot of this log; None, and nothing moves, where there is none that can be used.

    `tell` is called every second. A start that breaks off begins anew. Rows of a snapshot that turns out to be damaged
    stay: each names the last fact that is in it. Raises the outages of broker, store and database.
    """
    checkpoint = generations.checkpoint(database, generation)
    positions = of_log(await checkpoint.load())
    if any(positions.values()):
        return None
    blobs = Blobs.open(settings.store)
    snapshot = await Snapshots(blobs).newest_of(settings.kafka, positions)
    if snapshot is None:
        return None
    log.info("a snapshot is taken up", snapshot=snapshot.name, facts=snapshot.facts, rows=snapshot.rows)
    if not await _restore(generation, snapshot, tell):
        log.error("a snapshot cannot be used, the whole log is read", snapshot=snapshot.name)
        return None
    await _erase_deleted(database, generation)
    await checkpoint.store(snapshot.positions, snapshot.marks)
    return snapshot


async def _restore(generation: str, snapshot: Snapshot, tell: Tell) -> bool:
    """Take up every row; False where the snapshot is of no use."""
    restored = _Restored(snapshot)
    refused = False
    async with _telling(restored, tell):
        try:
            await replay_pool.restore(generation, snapshot.name, restored.add)
        except* replay_pool.Refused:
            refused = True
    return not refused


@dataclass
class _Restored:
    """How far it is."""

    snapshot: Snapshot
    rows: int = 0

    def add(self, rows: int) -> None:
        """So many rows more are taken up."""
        self.rows += rows

    @property
    def facts(self) -> int:
        """The share of the snapshot's facts."""
        return self.snapshot.facts * self.rows // max(1, self.snapshot.rows)


@asynccontextmanager
async def _telling(restored: _Restored, tell: Tell) -> AsyncIterator[None]:
    async def every_second() -> None:
        while True:
            await tell(restored.facts, restored.snapshot.facts)
            await asyncio.sleep(_TELL_SECONDS)

    task = asyncio.create_task(every_second())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _erase_deleted(database: Mongo, generation: str) -> None:
    """Remove the timeline of what was deleted while the snapshot was made."""
    deleted = database.projection("documents", generation).find({"deleted": True}, {"_id": 1})
    async for rows in in_batches(deleted, _AT_ONCE):
        await erase(database, generation, [row["_id"] for row in rows])
