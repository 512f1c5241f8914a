"""How a coordinator that has no checkpoint begins: at a snapshot of the log, else at its beginning."""

from collections.abc import Iterator
from contextlib import suppress

from shared.document import codec
from shared.harness.coordinator.assignment import Assignment
from shared.harness.coordinator.fold import to_row
from shared.kafka import topics
from shared.projecting.checkpoint import Checkpoint, beginning_of
from shared.projecting.fences import PASSES
from shared.projecting.snapshots import Snapshot, Snapshots
from shared.runtime import logs
from shared.runtime.tracebacks import summarize
from shared.storage import mongo as database
from shared.storage.blobs import Blobs
from shared.storage.mongo import DuplicateKeyError, Mongo, Row

log = logs.get(__name__)


async def checkpoint_of(stage: str, mongo: Mongo, partitions: int, bootstrap: str, blobs: Blobs) -> Checkpoint:
    """The coordinator's checkpoint; where there is none, a new life begins.

    Nothing is removed for it: an owner that is stopped here, and goes on when another has begun, would remove that
    one's states. A state that is left of before holds what its document's facts say up to its offset.
    """
    checkpoint = Checkpoint(mongo, "coordinator", stage)
    await mongo.create_coordinator(stage)
    if not await checkpoint.exists():
        beginning = beginning_of([topics.DOCUMENTS], partitions)
        snapshots = Snapshots(blobs)
        snapshot = await snapshots.newest_of(bootstrap, beginning)
        is_taken_up = snapshot is not None and await _take_up(stage, mongo, snapshots, snapshot)
        positions, marks = (snapshot.positions, snapshot.marks) if snapshot and is_taken_up else ({}, {})
        with suppress(DuplicateKeyError):  # another has begun
            await checkpoint.create({**beginning, **positions}, marks)
    return checkpoint


async def _take_up(stage: str, mongo: Mongo, snapshots: Snapshots, snapshot: Snapshot) -> bool:
    """Store the assignments of a snapshot; False where it is of no use. Raises the outages of store and database."""
    log.info("a snapshot is taken up", snapshot=snapshot.name, facts=snapshot.facts)
    rows = mongo.coordinator(stage)
    try:
        async for found in snapshots.rows(snapshot.parts["states"]):
            taken = dict(_assignments(stage, found))
            await database.advance(rows, list(taken.items()), taken)
    except PASSES:
        raise
    except Exception as error:
        log.error("a snapshot cannot be used, the whole log is read", reason=summarize(error))
        return False
    return True


def _assignments(stage: str, rows: list[Row]) -> Iterator[tuple[str, Row]]:
    """The rows of the documents that go through the stage, by id."""
    for row in rows:
        state = codec.from_row(row["settled"])
        if stage in state.stages:
            yield row["_id"], to_row(Assignment(state, stage, row["offset"]))
