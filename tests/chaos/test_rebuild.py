"""Rebuilds under traffic that are killed, and projectors killed in the last step of a document."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.events.document import DocumentCompleted, StageCompleted
from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault
from tests.chaos.pictures import PLAIN
from tests.chaos.rebuilding import killed_at, rebuild
from tests.chaos.watching import watching
from tests.support.wait import until

pytestmark = pytest.mark.timeout(300)


@asynccontextmanager
async def traffic(system: ChaosSystem) -> AsyncIterator[list[str]]:
    """A new document as soon as the one before is in, for as long as the body runs; all must be completed."""
    ids: list[str] = []
    stop = asyncio.Event()

    async def upload() -> None:
        while not stop.is_set():
            ids.append(await system.upload(pictures.note(len(ids)), "note.txt"))
            await asyncio.wait([asyncio.ensure_future(stop.wait())], timeout=0.3)

    uploading = asyncio.create_task(upload())
    try:
        yield ids
    finally:
        stop.set()
        await uploading
    await system.completed(*ids)


@pytest.mark.parametrize("steps", [("replay", "stop"), pytest.param(("results", "stop"), marks=pytest.mark.soak)])
async def test_12_a_rebuild_killed_under_traffic_resumes(
    system: ChaosSystem, fault: Fault, steps: tuple[str, ...]
) -> None:
    before = await system.until_ready()
    with fault(12, f"rebuild under traffic, killed at {' and '.join(steps)}") as strikes:
        with system.page_takes(0.2):
            watched = await system.upload(pictures.scan(*[PLAIN] * 6))
            async with watching(system.url, watched) as watch, traffic(system):
                strikes()
                begun = [(await killed_at(system, step))["generation"] for step in steps]
                outcome = await rebuild(system)
                assert {*begun, outcome["generation"]} == {outcome["generation"]}  # it goes on where it was
                assert (outcome["replaced"], outcome["differences"]) == (before, [])
            (view,) = await system.completed(watched)
            await system.until_ready(but=before)
            view = await system.get(watched)
            async with watching(system.url, watched) as again:
                await until(lambda: again.shows(view), within=10, what="the snapshot is the new generation's")
        epochs = [frame["epoch"] for frames in watch.connections for frame in frames]
        assert sorted(set(epochs), key=epochs.index) in ([before], [before, outcome["generation"]])  # never back
        await system.check()


@pytest.mark.soak
async def test_12_a_rebuild_killed_at_the_swap_and_never_run_again(system: ChaosSystem, fault: Fault) -> None:
    before = await system.until_ready()
    with fault(12, "rebuild killed at the swap, not run again"):
        await killed_at(system, "stop")
        document_id = await system.upload(pictures.note(1), "note.txt")
        await system.completed(document_id, within=120)  # the request to make way lapses by itself
        assert await system.until_ready() == before
        await system.check()


async def test_12_killed_between_the_last_stage_and_the_document(system: ChaosSystem, fault: Fault) -> None:
    await system.until_ready()
    with fault(12, "projector killed between StageCompleted and DocumentCompleted") as strikes:
        pid = system.pid_of("progress")
        assert pid
        os.kill(pid, signal.SIGSTOP)  # the stages go on without it, and nobody says that the document is completed
        document_id = await system.upload(pictures.picture())

        async def stages_are_done() -> bool:
            return [type(fact) for fact in await system.facts(document_id)].count(StageCompleted) == 3

        await until(stages_are_done, what="the last stage is completed")
        assert not any(isinstance(fact, DocumentCompleted) for fact in await system.facts(document_id))
        strikes()
        os.kill(pid, signal.SIGKILL)
        await system.completed(document_id, within=120)
        await system.check()
