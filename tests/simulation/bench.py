"""A world without processes, for tests that bring what runs in it."""

from collections.abc import Callable, Coroutine
from typing import Any

from shared.runtime.settings import SharedSettings
from shared.storage.mongo import Mongo
from tests.simulation import seams
from tests.simulation.database import Client
from tests.simulation.scenario import Document, Scenario
from tests.simulation.world import World


def empty(seed: int = 0, batch: int = 10) -> World:
    """A world in which nothing happens by itself and nothing goes wrong; a fold keeps as many states as a `batch`."""
    document = Document("doc-0", "a", 1, 0.0)
    return World(
        Scenario(
            seed=seed,
            stages=("ocr",),
            machines=1,
            partitions=3,
            children=1,
            batch=batch,
            capacity=batch,
            patience=0.0,
            page_seconds=1.0,
            clocks=(0.0,),
            documents=(document,),
        )
    )


def simulated(body: Callable[[World], Coroutine[Any, Any, Any]], seed: int = 0, batch: int = 10) -> Any:
    """What `body` returns, run in an empty world."""
    world = empty(seed, batch)
    with seams.patched(world.loop, world.scenario, world.tell):
        return world.loop.run(body(world))


def mongo_of(world: World) -> Mongo:
    """The world's database, as the project sees it."""
    return Mongo(Client(world.server), SharedSettings())  # type: ignore[arg-type]
