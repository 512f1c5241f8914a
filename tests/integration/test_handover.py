"""The live projection changes hands: between a rebuild and its standbys, and when a rebuild is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.progress.projection import generations
from services.progress.rebuild import handover
from shared.errors import Rejected
from shared.storage.leases import Owner, Ownership, holding
from shared.storage.mongo import Mongo
from tests.support.wait import until

STANDBYS = ("a", "b", "c")


def right(database: Mongo, slot: str) -> Ownership:
    return Ownership(database, generations.OWNERSHIP, Owner.of(slot))


class Instance:
    """An instance of the projection that makes way when it is asked to, and comes back as a supervisor lets it."""

    def __init__(self, database: Mongo, slot: str) -> None:
        self._database = database
        self._slot = slot
        self.is_live = False

    async def run(self) -> None:
        while True:
            async with handover.turn(self._database, right(self._database, self._slot)):
                self.is_live = True
                while not await generations.must_make_way(self._database):
                    await asyncio.sleep(0.05)
                self.is_live = False


@asynccontextmanager
async def running(database: Mongo) -> AsyncIterator[list[Instance]]:
    instances = [Instance(database, slot) for slot in STANDBYS]
    tasks = [asyncio.create_task(one.run()) for one in instances]
    yield instances
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def live(database: Mongo) -> str:
    return await generations.live(database, 3)


async def test_no_standby_comes_before_a_rebuild_that_waits(database: Mongo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "_HANDOVER_MS", 1_000)  # it lapses many times while the rebuild works
    monkeypatch.setattr(handover, "_ASK_AGAIN_SECONDS", 0.3)
    generation = await live(database)
    async with running(database) as instances:
        await until(lambda: any(one.is_live for one in instances))
        async with asyncio.timeout(20), handover.asking(database, generation), holding(right(database, "rebuild")):
            for _ in range(30):
                assert not any(one.is_live for one in instances)
                await asyncio.sleep(0.1)
        await until(lambda: any(one.is_live for one in instances))
        assert sum(one.is_live for one in instances) == 1


async def failing(database: Mongo, generation: str) -> None:
    async with handover.asking(database, generation):
        assert await generations.must_make_way(database)
        raise RuntimeError("the rebuild failed")


async def test_a_rebuild_that_ends_without_a_switch_lets_the_live_one_go_on_at_once(database: Mongo) -> None:
    generation = await live(database)
    with pytest.raises(RuntimeError):
        await failing(database, generation)
    assert not await generations.must_make_way(database)


async def test_a_generation_that_is_live_no_more_is_not_asked(database: Mongo) -> None:
    await live(database)
    with pytest.raises(Rejected):
        await failing(database, "older")
