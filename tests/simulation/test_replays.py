"""A long log folded anew: whoever waits far behind the work is forgotten by no fold.

Uploads run ahead of the work by a distance in documents, below and above what a fold keeps in memory. What is stored at
the end is compared with what an independent reader folded as the facts were appended.
"""

from collections.abc import Iterator
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest

from services.progress.projection import generations
from services.progress.projection.projector import Projector
from shared.document.codec import from_row
from shared.events.document import Fact
from shared.harness.coordinator.fold import CoordinatorFold
from shared.harness.coordinator.start import checkpoint_of
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.projecting.batch import Batch
from shared.projecting.checkpoint import Checkpoint
from shared.projecting.loop import Loop, Write
from shared.storage.blobs import Blobs
from tests.simulation.bench import mongo_of, simulated
from tests.simulation.broker import BrokerProducer
from tests.simulation.scheduler import loop
from tests.simulation.world import World
from tests.support.document_facts import completed, uploaded, whole

WHOLE: Final = (22_000, 10_000)  # documents, and what a fold keeps in memory
DISTANCES: Final = (6_000, 12_000, 30_000)
AT_WORK: Final = 4  # documents at the same time
FACT_SECONDS: Final = 0.00005  # how long a fact is folded; nobody else goes on meanwhile
PATIENCE: Final = 1.0  # seconds until a coordinator writes


def history(documents: int, distance: int, random: Random) -> Iterator[Fact]:
    """The log of so many documents, all completed, each uploaded `distance` documents before its work begins."""
    ids = [str(UUID(int=random.getrandbits(128), version=4)) for _ in range(documents)]
    waiting, working, uploads = iter(ids), [], 0
    for begun in range(documents):
        while uploads < min(documents, begun + distance):
            yield uploaded(document=ids[uploads])
            uploads += 1
        working.append(work(next(waiting)))
        while len(working) == AT_WORK or (working and begun == documents - 1):
            chosen = random.choice(working)
            if fact := next(chosen, None):
                yield fact
            else:
                working.remove(chosen)


def work(i: str) -> Iterator[Fact]:
    for stage in ("ocr", "chunk", "extract"):
        yield from whole(stage, document=i)
    yield completed(document=i)


def append(world: World, facts: Iterator[Fact]) -> None:
    """Put the facts where a producer would."""
    producer = BrokerProducer(world.broker)
    for fact in facts:
        key = fact.key.encode()
        world.broker.append(producer._place(topics.DOCUMENTS, key, world.loop), key, fact.encode(), ())


class Busy:
    """A fold that takes its time and decides nothing."""

    def __init__(self, fold: Any) -> None:
        self._fold = fold

    async def apply(self, batch: Batch) -> Write:
        write: Write = await self._fold.apply(batch)
        loop().now += FACT_SECONDS * len(batch)
        return write

    async def decide(self) -> bool:
        return False


async def replay(world: World, checkpoint: Checkpoint, fold: Any, patience: float) -> None:
    world.broker.weather.fetched = 0.9
    ends = {place: world.broker.end(place) for place in world.broker.places(topics.DOCUMENTS)}
    await Loop("simulated:9092", checkpoint, Busy(fold), patience=patience).run(until=ends)


async def of_coordinator(world: World, scale: int) -> dict[str, Any]:
    """What the coordinator of a stage has stored after a replay."""
    database = mongo_of(world)
    coordination = CoordinatorFold("ocr", database, Producer(BrokerProducer(world.broker)), 3)
    blobs = Blobs.open("s3://simulated")
    checkpoint = await checkpoint_of("ocr", database, world.broker.partitions, "simulated:9092", blobs)
    await replay(world, checkpoint, coordination, PATIENCE / scale)
    return {row["_id"]: row["settled"] async for row in database.coordinator("ocr").find({})}


async def of_projector(world: World, _: int) -> dict[str, Any]:
    """What a projector has stored after a replay."""
    database = mongo_of(world)
    checkpoint = generations.checkpoint(database, "anew")
    await checkpoint.create(dict.fromkeys(world.broker.places(topics.DOCUMENTS), 0))
    projector = Projector(database, "anew", Blobs.open("s3://simulated"), None)
    await replay(world, checkpoint, projector, 0.0)
    return {row["_id"]: row["settled"] async for row in projector.documents.find({})}


def forgotten(stored: Any, scale: int, distance: int) -> list[str]:
    """The documents whose stored state is not what the log says; sizes are divided by `scale`."""
    documents, capacity = (size // scale for size in WHOLE)

    async def body(world: World) -> list[str]:
        append(world, history(documents, distance // scale, world.loop.random))
        found = await stored(world, scale)
        assert len(world.states) == documents
        return [i for i, state in world.states.items() if i not in found or from_row(found[i]) != state]

    wrong: list[str] = simulated(body, seed=distance, batch=capacity)
    return wrong


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("stored", [of_coordinator, of_projector])
def test_a_fold_that_replays_a_long_queue_forgets_no_document(stored: Any, distance: int) -> None:
    assert forgotten(stored, 100, distance) == []


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("distance", DISTANCES)
def test_a_coordinator_that_replays_a_queue_of_full_size_forgets_no_document(distance: int) -> None:
    assert forgotten(of_coordinator, 1, distance) == []
