"""Leases that ended without their fact, and a projection that is behind: what is waited for is done all the same."""

import asyncio

import pytest

from shared.events.document import SliceFailed, WorkerLost, utcnow
from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault
from tests.chaos.pictures import PLAIN
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)

LEASE_SECONDS = 10


async def test_24_leases_that_ended_without_their_fact_are_healed_within_a_lease(
    system: ChaosSystem, fault: Fault
) -> None:
    with fault(24, "leases ended without their fact") as strikes:
        with system.held():
            ids = [await system.upload(pictures.scan(PLAIN, PLAIN)) for _ in range(2)]
            await system.until_reading(2)
            async with system.database() as database:
                held = {"document_id": {"$in": ids}, "ended": False}
                ending = {"$set": {"ended": True, "ended_at": utcnow()}}  # as on the word of an old projection
                done = await database.control["leases"].update_many(held, ending)
            assert done.modified_count == 2
            strikes()
            await until(lambda: len({pid for pid, _, _ in system.runs()[-4:]}) == 4, within=LEASE_SECONDS + 5)
        views = await system.completed(*ids, within=60)
        assert [view["partial"] for view in views] == [False, False]
        for document_id in ids:
            assert await system.slices_done(document_id) == {0: 1, 1: 1}

        async def quiet() -> bool:
            return bool((await system.call("GET", "/v1/system")).json()["circulating"] == 0)

        await until(quiet, within=LEASE_SECONDS)
        await system.check()


async def test_24_a_status_of_an_earlier_run_stops_nothing(system: ChaosSystem, fault: Fault) -> None:
    with fault(24, "a status that was read from an old projection"):
        with system.held():
            document_id = await system.upload(pictures.scan(PLAIN, PLAIN))
            await system.until_reading(2)
            assert (await system.call("POST", f"/v1/documents/{document_id}/cancel")).status_code == 202
            await system.until_ended(document_id)
            assert (await system.call("POST", f"/v1/documents/{document_id}/retry")).status_code == 202
            began = len(system.runs())
            await until(lambda: len(system.runs()) >= began + 2, within=30, what="it is read again")
            async with system.database() as database:
                rows = database.projection("documents", await database.live_generation() or "")
                row = await rows.find_one({"_id": document_id})
                assert row
                old = {"view.status": "cancelled", "settled.run": 1}
                for _ in range(6):  # as often as the workers look
                    await rows.update_one({"_id": document_id}, {"$set": old})
                    await asyncio.sleep(0.5)
                now = {"view.status": row["view"]["status"], "settled.run": row["settled"]["run"]}
                await rows.update_one({"_id": document_id}, {"$set": now})
        (view,) = await system.completed(document_id, within=60)
        assert view["partial"] is False
        async with system.database() as database:
            leases = database.control["leases"].find({"document_id": document_id, "stage": "ocr", "attempt": 2})
            claims = {lease["slice"]: (lease["strikes"], lease["releases"]) async for lease in leases}
        assert claims[0] == claims[1] == (1, 0)  # nobody was stopped
        await system.check()


async def test_27_a_database_that_stands_still_for_longer_than_a_lease_strikes_nothing(
    system: ChaosSystem, fault: Fault
) -> None:
    with fault(27, "the database stands still for 20 s") as strikes, system.page_takes(0.5):
        document_id = await system.upload(pictures.scan(*[PLAIN] * 20))
        await system.until_reading(2)
        services = ("ocr", "chunker", "extractor", "progress")
        before = [system.pid_of(service) for service in services]
        with system.frozen("mongodb"):
            await asyncio.sleep(LEASE_SECONDS * 2)
        strikes()
        (view,) = await system.completed(document_id, within=60)
        assert view["partial"] is False
        facts = await system.facts(document_id)
        assert [fact for fact in facts if isinstance(fact, WorkerLost | SliceFailed)] == []
        async with system.database() as database:
            leases = database.control["leases"].find({"document_id": document_id, "stage": "ocr"})
            claims = [(lease["strikes"], lease["releases"]) async for lease in leases]
        assert set(claims) == {(1, 0)}
        assert [system.pid_of(service) for service in services] == before
        await system.check()
