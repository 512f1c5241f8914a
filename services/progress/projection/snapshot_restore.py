"""Takes the rows of a snapshot up into a generation that has nothing yet; see `shared.projecting.snapshots`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.progress.projection.projector import Projector
from shared.projecting.checkpoint import Share
from shared.projecting.snapshots import Kind, Snapshot, Snapshots
from shared.storage import mongo
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo, Row

OnRows = Callable[[int], None]  # rows that were taken up
TakeUp = Callable[[Sequence[Row]], Awaitable[None]]


class SnapshotRestore:
    """Into one generation, with the projector that folds it. Done twice it is the same."""

    def __init__(self, database: Mongo, generation: str, blobs: Blobs, projector: Projector) -> None:
        self._timeline = database.projection("timeline", generation)
        self._snapshots = Snapshots(blobs)
        self._projector = projector

    async def take_up(self, snapshot: Snapshot, share: Share, on_rows: OnRows) -> None:
        """The parts of one share. Deleted documents may have a timeline again, which is to be removed after all shares.

        Raises BlobMissing, BlobDamaged, Transient and the driver's errors.
        """
        for part in snapshot.parts["timeline"][share.number :: share.of]:
            await mongo.add_raw(self._timeline, await self._snapshots.read(part))
            on_rows(part.rows)
        takers: Mapping[Kind, TakeUp] = {"states": self._projector.take_up, "jobs": self._projector.jobs.take_up}
        for kind, take_up in takers.items():
            async for rows in self._snapshots.rows(snapshot.parts[kind][share.number :: share.of]):
                await take_up(rows)
                on_rows(len(rows))
