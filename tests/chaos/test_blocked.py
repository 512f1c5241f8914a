"""A process that lives and does nothing: its event loop is blocked, the task that fetches is dead, the producer too.

The services are started with a `sitecustomize` of this test: a signal does to them what no outside can do.
"""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault
from tests.support.wait import until

SABOTAGE: Final = (Path(__file__).parent / "sabotage.py").read_text()

pytestmark = [pytest.mark.timeout(240), pytest.mark.soak]


@pytest.fixture
async def sabotaged(system: ChaosSystem, tmp_path: Path) -> AsyncIterator[ChaosSystem]:
    """OCR and projector do to themselves what a signal asks for."""
    (tmp_path / "sitecustomize.py").write_text(SABOTAGE)
    env = {"PYTHONPATH": str(tmp_path)}
    async with system.armed({"ocr": env, "progress": env}):
        yield system
    for service in ("ocr", "progress"):
        await system.restart(service)


@pytest.mark.parametrize("service", ["ocr", "progress"])
@pytest.mark.parametrize(
    ("number", "what"),
    [
        (signal.SIGUSR1, "event loop blocked"),
        (signal.SIGUSR2, "fetch task dead"),
        (signal.SIGHUP, "producer dead"),
    ],
    ids=["blocked", "fetching", "producing"],
)
async def test_6_a_process_that_does_nothing_is_ended_and_replaced(
    sabotaged: ChaosSystem, fault: Fault, service: str, number: int, what: str
) -> None:
    await sabotaged.completed(await sabotaged.upload(pictures.picture()))  # by now every part of it is at work
    with fault(6, f"{service}: {what}"):
        pid = sabotaged.pid_of(service)
        assert pid
        os.kill(pid, number)
        document_id = await sabotaged.upload(pictures.picture())
        await until(lambda: sabotaged.pid_of(service) not in (pid, None), within=60, what=f"{service} is replaced")
        await sabotaged.completed(document_id)
        await sabotaged.check()
