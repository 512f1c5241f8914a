"""A random schedule of faults against a system that is never given a rest, and then everything must hold."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import pytest

from shared.kafka import topics
from shared.kafka.producer import Producer
from stack.kafka import until_answering
from stack.mongodb import until_writable
from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault
from tests.chaos.pictures import PLAIN, SEGFAULT
from tests.chaos.rebuilding import killed_at, rebuild
from tests.support import processes

SECONDS: Final = float(os.environ.get("PAGESTREAM_SOAK_SECONDS", "90"))
SERVICES: Final = ("ocr", "chunker", "extractor", "progress", "gateway")

Act = Callable[[ChaosSystem, random.Random], Awaitable[None]]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 600)]


async def kill_a_service(system: ChaosSystem, chance: random.Random) -> None:
    await system.kill(chance.choice(SERVICES))


async def ask_a_service_to_end(system: ChaosSystem, chance: random.Random) -> None:
    await system.kill(chance.choice(SERVICES), signal.SIGTERM)


async def kill_a_child(system: ChaosSystem, chance: random.Random) -> None:
    worker = system.pid_of(chance.choice(SERVICES[:3]))
    if worker and (below := processes.below(worker)):
        with suppress(ProcessLookupError):  # it ended by itself in this moment
            os.kill(chance.choice(below), signal.SIGKILL)


async def stop_a_service_for_a_while(system: ChaosSystem, chance: random.Random) -> None:
    service = chance.choice(SERVICES)
    await system.until_there(service)
    with system.stopped(service):
        await asyncio.sleep(chance.uniform(1, 13))


async def stop_a_part_for_a_while(system: ChaosSystem, chance: random.Random) -> None:
    with system.frozen(chance.choice(["kafka", "mongodb"])):
        await asyncio.sleep(chance.uniform(1, 8))


async def kill_the_broker(system: ChaosSystem, chance: random.Random) -> None:
    await system.kill_part("kafka")
    await until_answering(system.settings.kafka)  # the next fault may need it


async def kill_the_database(system: ChaosSystem, chance: random.Random) -> None:
    await system.kill_part("mongodb")
    await until_writable(system.settings.mongo)


async def drop_the_projections(system: ChaosSystem, chance: random.Random) -> None:
    await system.drop_projections()


async def kill_a_rebuild(system: ChaosSystem, chance: random.Random) -> None:
    await system.until_ready()
    await killed_at(system, chance.choice(["replay", "stop"]))
    await rebuild(system)


async def put_garbage_everywhere(system: ChaosSystem, chance: random.Random) -> None:
    async with Producer.connect(system.settings.kafka) as producer:
        for name in (topics.DOCUMENTS, topics.PROGRESS, topics.slices("ocr")):
            await producer.send(name, chance.randbytes(20), key=chance.randbytes(4))


async def say_it_all_again(system: ChaosSystem, chance: random.Random) -> None:
    facts = await system.all_facts()
    async with Producer.connect(system.settings.kafka) as producer:
        for fact in chance.sample(facts, min(50, len(facts))):
            await producer.append(fact)


ACTS: Final[Sequence[Act]] = (
    kill_a_service, kill_a_service, ask_a_service_to_end, kill_a_child, kill_a_child, stop_a_service_for_a_while,
    stop_a_part_for_a_while, kill_the_broker, kill_the_database, drop_the_projections, kill_a_rebuild,
    put_garbage_everywhere, say_it_all_again,
)  # fmt: skip


async def upload_for_ever(system: ChaosSystem, chance: random.Random) -> None:
    """Keep some documents under way, of every kind."""
    while True:
        kind = chance.choice(["note", "picture", "scan", "bad page", "broken"])
        data = {
            "note": pictures.note(chance.randrange(10_000)),
            "picture": pictures.picture(),
            "scan": pictures.scan(*[PLAIN] * chance.randint(2, 6)),
            "bad page": pictures.scan(PLAIN, SEGFAULT),
            "broken": b"%PDF-1.7 and nothing else",
        }[kind]
        await system.upload(data, f"{kind}.bin")
        await asyncio.sleep(chance.uniform(0.3, 1.5))  # less than the system can do when it is left alone


async def test_a_random_schedule_of_faults_under_traffic(system: ChaosSystem, fault: Fault, seed: int) -> None:
    chance = random.Random(seed)
    began = time.monotonic()
    counted = 0
    with fault(0, f"{SECONDS:g} s of random faults under traffic, seed {seed}") as strikes, system.page_takes(0.1):
        uploading = asyncio.create_task(upload_for_ever(system, random.Random(seed + 1)))
        try:
            while time.monotonic() - began < SECONDS:
                await asyncio.wait([uploading], timeout=chance.uniform(0.5, 5))
                act = chance.choice(ACTS)
                print(f"{time.monotonic() - began:6.1f} s  {act.__name__}", flush=True)
                await act(system, chance)
                counted += 1
        finally:
            uploading.cancel()
            await asyncio.wait([uploading])
        strikes()
        await system.check(within=180)
    print(f"{len(system.acknowledged)} documents, {counted} faults")
    assert uploading.cancelled(), uploading.exception()
