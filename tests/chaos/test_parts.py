"""Faults of broker and database: killed, standing still, dropped, forgotten."""

import asyncio
import random
import time

import httpx
import pytest

from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault
from tests.chaos.pictures import PLAIN
from tests.chaos.watching import watching
from tests.support.wait import until

UPLOAD_DEADLINE = 15.0  # seconds; `shared.kafka.producer.DEADLINE`

pytestmark = pytest.mark.timeout(300)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [20, 40])
async def test_7_the_broker_stands_still(system: ChaosSystem, fault: Fault, seconds: int) -> None:
    with fault(7, f"broker stands still for {seconds} s") as strikes:
        before = await system.upload(pictures.scan(PLAIN, PLAIN))
        with system.frozen("kafka"):
            frozen_at = time.monotonic()
            status, took = await upload_once(system)
            assert (status, took < UPLOAD_DEADLINE + 5) == (503, True), took
            while time.monotonic() - frozen_at < seconds:
                assert (await upload_once(system))[0] == 503
        strikes()
        after = await system.upload(pictures.note(1), "note.txt")
        await system.completed(before, after)
        await system.check()


async def upload_once(system: ChaosSystem) -> tuple[int, float]:
    """Try an upload; the status of the answer and how long it took."""
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=system.url, trust_env=False, timeout=60) as http:
        answer = await http.post("/v1/documents", params={"filename": "n.txt", "force": "true"}, content=b"A note.")
    return answer.status_code, time.monotonic() - began


@pytest.mark.soak
async def test_7_the_broker_killed_while_pages_are_read(system: ChaosSystem, fault: Fault) -> None:
    with fault(7, "broker killed -9") as strikes:
        with system.held():
            document_id = await system.upload(pictures.scan(PLAIN, PLAIN))
            await system.until_reading()
            strikes()
            await system.kill_part("kafka")
        another = await system.upload(pictures.note(2), "note.txt")
        await system.completed(document_id, another)
        await system.check()


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.soak)])
async def test_8_the_database_killed_at_random_moments(
    system: ChaosSystem, fault: Fault, seed: int, times: int
) -> None:
    chance = random.Random(seed)
    ids: list[str] = []
    with fault(8, f"mongod killed -9, {times} times") as strikes, system.page_takes(0.2):
        for _ in range(times):
            ids.append(await system.upload(pictures.scan(PLAIN, PLAIN, PLAIN)))
            ids.append(await system.upload(pictures.note(len(ids)), "note.txt"))
            working = asyncio.ensure_future(system.until(ids[-2]))
            await asyncio.wait([working], timeout=chance.uniform(0.0, 2.0))  # a moment that nobody has chosen
            working.cancel()
            strikes()
            await system.kill_part("mongodb")
        await system.completed(*ids)
        await system.check()


async def test_8_the_projections_dropped_under_traffic(system: ChaosSystem, fault: Fault) -> None:
    before = await system.until_ready()
    with fault(8, "projection database dropped while running") as strikes, system.page_takes(0.2):
        ids = [await system.upload(pictures.scan(*[PLAIN] * 4))]
        await system.until_pages(ids[0], 1)
        async with watching(system.url, ids[0]) as watch:
            strikes()
            await system.drop_projections()
            ids += [await system.upload(pictures.note(n), "note.txt") for n in range(3)]
            await system.until_ready(but=before)
            views = await system.completed(*ids)
            await until(lambda: watch.shows(views[0]), within=10, what="the last frame arrives")
        await system.check()
