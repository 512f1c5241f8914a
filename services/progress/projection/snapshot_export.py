"""Exports one generation as a snapshot, from which a later fold may begin; see `shared.projecting.snapshots`."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from services.progress.projection import generations
from shared.projecting.snapshots import Kind, Snapshots, of_log
from shared.runtime import logs
from shared.storage import mongo
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo

log = logs.get(__name__)

_GROWTH: Final = 10  # a new one when the log has grown by one part in so many
_REST: Final = 3.0  # times as long as each part took: it has all the time, and what people wait for has not
# By kind: the collection, the columns (none: all), and the rows of a part. The states come before the timeline, as a
# fold writes a document's lines before its state: no fact is in a state whose line is not there.
_EXPORTED: Final[Mapping[Kind, tuple[str, Sequence[str], int]]] = {
    "states": ("documents", ("offset", "settled"), 5_000),
    "timeline": ("timeline", (), 20_000),
    "jobs": ("jobs", ("offset", "settled", "live", "words"), 5_000),
}


class SnapshotExport:
    """Of one generation; `every` facts at least lie between two snapshots, 0 makes none.

    `rest`: how many times as long as it took to write a part it waits before the next.
    """

    def __init__(self, database: Mongo, generation: str, blobs: Blobs, every: int, rest: float = _REST) -> None:
        self._database = database
        self._generation = generation
        self._snapshots = Snapshots(blobs)
        self._every = every
        self._rest = rest

    async def export_if_due(self) -> None:
        """Make a snapshot where the log has grown enough since the newest.

        Raises CheckpointGone, Transient and the driver's errors; what was written of it is removed with the next one.
        """
        checkpoint = generations.checkpoint(self._database, self._generation)
        folded, marks = await checkpoint.load_marked()
        positions = of_log(folded)
        facts = sum(positions.values())
        if not self._every or facts < self._every:
            return
        newest = await self._snapshots.newest()
        before = newest.facts if newest else 0
        if 0 <= facts - before < max(self._every, facts // _GROWTH):
            return
        marks = {place: mark for place, mark in marks.items() if place in positions}
        rows = {kind: self._rows(kind) for kind in _EXPORTED}
        # A collection that was dropped reads as an empty one. The checkpoint goes with it and does not come back.
        made = await self._snapshots.write(positions, marks, rows, verify=checkpoint.load)
        log.info("a snapshot of the log is made", snapshot=made.name, facts=made.facts, rows=made.rows)

    async def _rows(self, kind: Kind) -> AsyncIterator[tuple[bytes, int]]:
        name, columns, at_once = _EXPORTED[kind]
        rows = self._database.projection(name, self._generation)
        began = time.monotonic()
        async for batch in mongo.raw_batches(rows, columns, at_once):
            yield batch
            await asyncio.sleep(self._rest * (time.monotonic() - began))
            began = time.monotonic()
