"""Every service killed in the middle of a document: it is completed all the same, with the same results."""

import os
import signal
from typing import Any

import pytest

from shared.events.document import DocumentCompleted, StageCompleted, StageFailed
from tests.support import pdfs, processes
from tests.support.running_system import RunningSystem
from tests.support.wait import until

PAGES = 6  # enough that a fast machine is still at them when something is killed

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What the first document gave that nobody disturbed."""
    return {}


async def results_of(system: RunningSystem, undisturbed: dict[str, Any]) -> dict[str, Any]:
    if not undisturbed:
        document_id = await system.upload(pdfs.scan(PAGES))
        assert (await system.until(document_id))["status"] == "completed"
        undisturbed |= await system.results(document_id)
    return undisturbed


async def half_read(system: RunningSystem, undisturbed: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A document of which a page is read and others are not, and what it is to give."""
    expected = await results_of(system, undisturbed)
    document_id = await system.upload(pdfs.scan(PAGES))
    await system.until_pages(document_id, 1)
    return document_id, expected


async def assert_complete(system: RunningSystem, document_id: str, undisturbed: dict[str, Any]) -> None:
    """It is completed, each page counted once, with the same results as without a disturbance."""
    view = await system.until(document_id)
    assert (view["status"], view["partial"], view["percent"]) == ("completed", False, 100)
    assert view["pages"] == {"total": PAGES, "done": PAGES, "failed": []}
    assert await system.slices_done(document_id) == dict.fromkeys(range(PAGES), 1)
    facts = {fact.event_id: fact for fact in await system.facts(document_id)}.values()
    assert not [fact for fact in facts if isinstance(fact, StageFailed)]
    assert len([fact for fact in facts if isinstance(fact, StageCompleted)]) == 3
    assert len([fact for fact in facts if isinstance(fact, DocumentCompleted)]) == 1
    assert await system.results(document_id) == undisturbed
    await until(lambda: nothing_is_held(system, document_id), within=30)
    await until(lambda: not list(system.temporary.iterdir()), what="no temporary file is left")


async def nothing_is_held(system: RunningSystem, document_id: str) -> bool:
    """Whether no lease of the document is left open."""
    async with system.database() as database:
        return not await database.control["leases"].count_documents({"document_id": document_id, "ended": False})


@pytest.mark.parametrize("service", ["ocr", "progress", "gateway"])  # tests/chaos kills the other stages as well
async def test_kill_9_in_the_middle_of_a_document(
    system: RunningSystem, undisturbed: dict[str, Any], service: str
) -> None:
    document_id, expected = await half_read(system, undisturbed)
    descendants = system.below(service)
    await system.kill(service)
    await until(lambda: not any(map(processes.is_alive, descendants)), within=10)
    await assert_complete(system, document_id, expected)


async def test_every_service_killed_at_once(system: RunningSystem, undisturbed: dict[str, Any]) -> None:
    document_id, expected = await half_read(system, undisturbed)
    services = ["ocr", "chunker", "extractor", "progress", "gateway"]
    for pid in [system.pid_of(service) for service in services]:
        assert pid
        os.kill(pid, signal.SIGKILL)
    await assert_complete(system, document_id, expected)


@pytest.mark.parametrize("service", ["ocr", "progress"])
async def test_a_service_that_is_asked_to_end_gives_its_work_back_and_leaves_no_process(
    system: RunningSystem, undisturbed: dict[str, Any], service: str
) -> None:
    document_id, expected = await half_read(system, undisturbed)
    descendants = system.below(service)
    await system.kill(service, signal.SIGTERM)
    assert not any(map(processes.is_alive, descendants))
    await assert_complete(system, document_id, expected)
