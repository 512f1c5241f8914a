"""Faults of workers: killed, ended, stopped, coming and going, crowded."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from shared.events.document import RetryScheduled, SliceCompleted, WorkerLost
from shared.storage.leases import Workers
from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault
from tests.chaos.pictures import PLAIN
from tests.support import processes
from tests.support.infrastructure import REPOSITORY
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)


async def test_1_a_recogniser_killed_in_the_middle_of_a_page(system: ChaosSystem, fault: Fault) -> None:
    with fault(1, "kill -9 a recogniser in the middle of a page") as strikes:
        with system.held():
            document_id = await system.upload(pictures.scan(PLAIN, PLAIN))
            page, *_ = await system.until_reading()
            child = processes.parent_of(page)
            assert child
            strikes()
            os.kill(child, signal.SIGKILL)
            await until(lambda: not processes.is_alive(page), within=5, what="no orphan recogniser")
        (view,) = await system.completed(document_id, within=30)
        assert view["pages"] == {"total": 2, "done": 2, "failed": []}
        assert await system.slices_done(document_id) == {0: 1, 1: 1}
        await system.check()


async def test_1_a_page_whose_program_is_killed_is_read_again_at_once(system: ChaosSystem, fault: Fault) -> None:
    with fault(1, "kill -9 the OCR program itself") as strikes:
        with system.held():
            document_id = await system.upload(pictures.picture())
            (page,) = await system.until_reading()
            strikes()
            os.kill(page, signal.SIGKILL)
        (view,) = await system.completed(document_id, within=30)
        assert view["stages"]["ocr"]["attempt"] == 1  # the outside world failed: a quick try, and no new attempt
        await system.check()


async def test_28_two_processes_of_a_stage_that_nobody_named_do_not_hinder_each_other(
    system: ChaosSystem, fault: Fault
) -> None:
    with fault(28, "a second process of a stage on the same machine, without a slot of its own") as strikes:
        strikes()
        async with system.another("second", "ocr", slot=""), system.database() as database:

            async def both_are_there() -> bool:
                return [row["stage"] for row in await Workers(database).live()].count("ocr") == 2

            await until(both_are_there, within=30)
            ids = [await system.upload(pictures.scan(PLAIN, PLAIN)) for _ in range(4)]
            await system.completed(*ids)
            facts = [fact for i in ids for fact in await system.facts(i)]
            assert not [fact for fact in facts if isinstance(fact, WorkerLost)]
            assert [await system.slices_done(i) for i in ids] == 4 * [{0: 1, 1: 1}]
        await system.check()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same folder", "cloned folder"])
async def test_28_of_two_processes_with_one_slot_the_second_ends_and_says_why(
    system: ChaosSystem, fault: Fault, tmp_path: Path, elsewhere: bool
) -> None:
    with fault(28, "two live processes of a stage with one slot") as strikes:
        async with system.another("rack-7", "ocr", "worker"), system.database() as database:

            async def is_there() -> bool:
                return "rack-7/ocr" in {row["_id"] for row in await Workers(database).live()}

            await until(is_there, within=30)
            strikes()
            mine = {"PAGESTREAM_SLOT": "rack-7", "PAGESTREAM_ROLE": "worker"}
            mine["PAGESTREAM_SLOTS_FOLDER"] = str(tmp_path if elsewhere else system.folder / "slots")
            env = {**os.environ, **system.environment, **mine}
            second = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.ocr", env=env, cwd=REPOSITORY, stdout=-1, stderr=-1
            )
            async with asyncio.timeout(60):
                _, said = await second.communicate()
            assert (second.returncode, "rack-7" in said.decode()) == (2, True)
            await until(is_there, within=10)  # it went with the second one's row, and says again that it is there
            await system.completed(await system.upload(pictures.scan(PLAIN)))
        await system.check()


@pytest.mark.parametrize("service", ["ocr", "chunker", "extractor", "progress", "gateway"])
@pytest.mark.soak
async def test_3_a_service_that_is_asked_to_end_in_the_middle_of_its_work(
    system: ChaosSystem, fault: Fault, service: str
) -> None:
    with fault(3, f"SIGTERM to {service} during long work") as strikes:
        with system.held():
            document_id = await system.upload(pictures.scan(PLAIN, PLAIN, PLAIN))
            await system.until_reading(2)
            strikes()
            pid = system.pid_of(service)
            assert pid
            os.kill(pid, signal.SIGTERM)
            await until(lambda: not processes.is_alive(pid), within=9, what="it ends within the grace time")
        await system.completed(document_id)
        assert await system.slices_done(document_id) == {0: 1, 1: 1, 2: 1}
        assert not [f for f in await system.facts(document_id) if isinstance(f, WorkerLost)]  # it gave its work back
        await system.check()


@pytest.mark.soak
async def test_4_a_worker_that_stands_still_until_another_has_done_its_work_changes_nothing_when_it_wakes(
    system: ChaosSystem, fault: Fault
) -> None:
    with fault(4, "SIGSTOP a worker past its lease and session, then SIGCONT") as strikes:
        with system.held():
            document_id = await system.upload(pictures.picture())
            (page,) = await system.until_reading()
            child = processes.parent_of(page)
            worker = processes.parent_of(child) if child else None
            assert worker
            strikes()
            os.kill(worker, signal.SIGSTOP)
        try:
            async with system.another("second", "ocr"):  # its coordinator takes over too
                await system.completed(document_id)
                before = await system.claims(document_id)
                os.kill(worker, signal.SIGCONT)
                await until(lambda: woke(system), what="the zombie finds that its lease is gone")
                await system.check()
        finally:
            with suppress(ProcessLookupError):  # awake, it has ended by itself
                os.kill(worker, signal.SIGCONT)
        assert await system.claims(document_id) == before  # it may say once more what was said
        # Nobody says so where the second takes the expired lease over before the sweeper has seen it.
    assert [fact.strike for fact in before.values() if isinstance(fact, WorkerLost)] in ([1], [])


def woke(system: ChaosSystem) -> bool:
    return any(line["event"] in ("lease lost", "the service ends") for line in system.log_of("ocr"))


@pytest.mark.soak
async def test_5_workers_that_join_and_leave_all_the_time(system: ChaosSystem, fault: Fault) -> None:
    pages = 64
    runs_before = len(system.runs())
    with fault(5, "workers joining and leaving every 3 s"), system.page_takes(0.5):
        ids = [await system.upload(pictures.scan(*[PLAIN] * 4)) for _ in range(pages // 4)]
        ending = asyncio.create_task(system.completed(*ids, within=200))
        for turn in range(8):
            async with system.another(f"guest-{turn % 2}", "ocr", "worker"):
                await asyncio.wait([ending], timeout=3)
        await ending
        await system.check()
    runs = len(system.runs()) - runs_before
    assert runs <= 1.2 * pages, f"{runs} runs for {pages} pages"
    facts = [fact for i in ids for fact in await system.facts(i) if isinstance(fact, SliceCompleted)]
    assert len({fact.event_id for fact in facts if fact.stage == "ocr"}) == pages


@pytest.mark.soak
async def test_22_a_hundred_documents_on_one_worker(system: ChaosSystem, fault: Fault) -> None:
    with fault(22, "100 documents at once"):
        ids = await asyncio.gather(*(system.upload(pictures.note(n), f"note-{n}.txt") for n in range(100)))
        await system.completed(*ids, within=120)
        await system.check()
    facts = [fact for fact in await system.all_facts() if fact.document_id in ids]
    assert not [fact for fact in facts if isinstance(fact, WorkerLost | RetryScheduled)]
