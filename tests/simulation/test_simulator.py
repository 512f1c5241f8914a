"""The simulator itself: a seed is always the same world, a defect is found, told and made small."""

import asyncio
from functools import partial

import pytest
from aiokafka import TopicPartition

from services.progress.projection import generations
from shared.harness.coordinator.start import checkpoint_of
from shared.projecting.checkpoint import Checkpoint
from shared.storage.blobs import Blobs
from tests.simulation import story
from tests.simulation.bench import empty, mongo_of, simulated
from tests.simulation.run import Outcome
from tests.simulation.scenario import Fault, draw
from tests.simulation.scheduler import Process, Spinning
from tests.simulation.shrink import shrunk
from tests.simulation.world import World
from tests.support.invariants import Violation

PLACE = TopicPartition("documents", 0)


def test_a_scenario_is_drawn_from_its_seed_alone() -> None:
    assert [draw(seed) for seed in range(50)] == [draw(seed) for seed in range(50)]


def test_time_stands_still_while_anything_runs_and_jumps_to_what_is_due_next() -> None:
    async def body(world: World) -> list[float]:
        began = world.loop.now
        await asyncio.gather(asyncio.sleep(5), asyncio.sleep(3_600))
        return [began, world.loop.now]

    assert simulated(body) == [0.0, 3_600.0]


def test_nothing_of_a_killed_process_runs_not_even_its_last_words() -> None:
    said = []

    async def speaker() -> None:
        try:
            while True:
                said.append("alive")
                await asyncio.sleep(1)
        finally:
            said.append("last words")

    async def body(world: World) -> None:
        process = Process("speaker")
        world.loop.spawn(process, speaker())
        await asyncio.sleep(2.5)
        world.loop.kill(process)
        await asyncio.sleep(10)

    simulated(body)
    assert said == ["alive"] * 3


def test_a_frozen_process_goes_on_where_it_was() -> None:
    heard: list[float] = []

    async def body(world: World) -> None:
        async def ticking() -> None:
            while True:
                heard.append(world.loop.now)
                await asyncio.sleep(1)

        process = Process("ticking")
        world.loop.spawn(process, ticking())
        await asyncio.sleep(0.5)
        world.loop.freeze(process, 10)
        await asyncio.sleep(12)

    simulated(body)
    assert heard == [0.0, 10.5, 11.5, 12.5][: len(heard)]
    assert len(heard) >= 3


def test_who_works_in_circles_is_found() -> None:
    async def body(_: World) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Spinning):
        simulated(body)


def test_a_failure_is_made_as_small_as_it_can_be() -> None:
    scenario = next(s for s in map(draw, range(1_000)) if len(s.documents) > 2 and len(s.faults) > 1)
    scenario = scenario.but(faults=(*scenario.faults, Fault(1.0, "drop")))

    def failing(tried: object) -> Outcome:
        found = [Violation("I1", "d", "is lost")] if Fault(1.0, "drop") in tried.faults else []  # type: ignore[attr-defined]
        return Outcome(tried, found, [(1.0, "fault", "drop")], 2.0, 100)  # type: ignore[arg-type]

    smallest = shrunk(failing(scenario), failing)
    assert smallest.scenario.faults == (Fault(1.0, "drop"),)
    assert (len(smallest.scenario.documents), smallest.scenario.wishes, smallest.scenario.machines) == (1, (), 1)
    told = story.tell(smallest)
    assert "1.00 drop" in told
    assert "✗ I1 d: is lost" in told


def test_a_checkpoint_never_goes_back() -> None:
    async def body(world: World) -> object:
        checkpoint = Checkpoint(mongo_of(world), "fold", "g")
        await checkpoint.create({PLACE: 0})
        await checkpoint.store({PLACE: 7}, {PLACE: "seventh"})
        await checkpoint.store({PLACE: 3}, {PLACE: "third"})  # an owner that was stopped, and goes on
        return await checkpoint.load_marked()

    assert simulated(body) == ({PLACE: 7}, {PLACE: "seventh"})


@pytest.mark.parametrize("seconds", [n / 1000 for n in range(0, 60, 3)])
def test_a_projection_that_is_begun_while_its_database_is_dropped_is_one_that_readers_find(seconds: float) -> None:
    async def body(world: World) -> None:
        mongo = mongo_of(world)
        await mongo.generations.insert_one({"_id": "live", "generation": "of before"})
        beginning = asyncio.create_task(generations.live(mongo, 1))
        await asyncio.sleep(seconds)
        world.server.drop("pagestream")
        await asyncio.wait([beginning])
        generation = await generations.live(mongo, 1)  # where it was of no use the fold ends, and begins again

        assert await generations.checkpoint(mongo, generation).exists()
        assert await mongo.live_generation() == generation

    simulated(body, seed=int(seconds * 1000))


@pytest.mark.parametrize("calls", range(1, 6))
def test_an_owner_that_is_stopped_while_it_begins_removes_nothing_of_its_successor(calls: int) -> None:
    async def body(world: World) -> None:
        mongo = mongo_of(world)
        begin = partial(checkpoint_of, "ocr", mongo, 1, "simulated:9092", Blobs.open("s3://simulated"))
        earlier = Process("earlier")
        world.faults.arm(Fault(0.0, "freeze", "earlier", 25.0, calls))
        world.machines.running["earlier"] = earlier
        world.loop.spawn(earlier, begin())
        await asyncio.sleep(15)
        checkpoint = await begin()
        await mongo.coordinator("ocr").insert_one({"_id": "d"})
        await checkpoint.store({PLACE: 7})
        await asyncio.sleep(20)

        assert await checkpoint.load() == {PLACE: 7}
        assert await mongo.coordinator("ocr").find_one({"_id": "d"}) is not None

    simulated(body)


def test_a_rebuild_that_was_overtaken_drops_nothing_that_is_live() -> None:
    async def body(world: World) -> list[str]:
        mongo = mongo_of(world)
        before = await generations.live(mongo, 1)
        mine, theirs = await generations.begin(mongo, 1), await generations.begin(mongo, 1)
        await generations.point(mongo, mine, instead_of=before)
        await generations.point(mongo, theirs, instead_of=mine)
        await generations.forget(mongo, but=[mine, before])
        return [await generations.live(mongo, 1), theirs]

    live, theirs = simulated(body)
    assert live == theirs


def test_an_empty_world_has_nothing_to_complain_about() -> None:
    assert empty().violations == []
