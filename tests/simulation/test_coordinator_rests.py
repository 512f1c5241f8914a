"""A coordinator that hears nothing new of what it has sent does not send it again at once."""

import asyncio
from typing import Any

from shared.harness.coordinator.fold import CoordinatorFold
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.projecting.batch import Batch, Entry
from shared.storage.leases import Owner, Workers
from tests.simulation.bench import mongo_of, simulated
from tests.simulation.broker import BrokerProducer
from tests.simulation.world import World
from tests.support import document_facts


def sent(world: World) -> int:
    return sum(world.broker.end(place) for place in world.broker.places(topics.slices("ocr")))


def test_a_fact_that_changes_nothing_is_no_reason_to_send_again() -> None:
    async def body(world: World) -> None:
        mongo, log = mongo_of(world), Producer(BrokerProducer(world.broker))
        worker = Owner.of("m0/ocr")
        await Workers(mongo).announce(worker, "ocr", slots=2)

        async def offsets() -> dict[int, int]:
            return {place.partition: world.broker.end(place) for place in world.broker.places(topics.slices("ocr"))}

        coordination = CoordinatorFold("ocr", mongo, log, 2, offsets)

        async def hear(offset: int, fact: Any) -> None:
            await (await coordination.apply(Batch(facts=[Entry(offset, fact)])))()
            await coordination.decide()

        await hear(0, document_facts.uploaded())
        assert sent(world) == 1
        world.server.drop("pagestream")  # as people may, and the fold has not noticed yet
        coordination._states._kept.clear()
        for offset in range(1, 20):
            await hear(offset, document_facts.planned())
            await asyncio.sleep(0.05)
        assert sent(world) == 1
        for _ in range(12):
            await Workers(mongo).announce(worker, "ocr", slots=2)
            await asyncio.sleep(5)
            await coordination.decide()
        assert 2 <= sent(world) <= 6  # once in a while

    simulated(body)
