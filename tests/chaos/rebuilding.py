"""`python -m services.progress.rebuild` as a process that can be killed at a step it tells."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from tests.chaos.chaos_system import ChaosSystem
from tests.support.infrastructure import REPOSITORY

PATIENCE = 90.0  # seconds


async def rebuild(system: ChaosSystem, mode: str = "swap") -> dict[str, Any]:
    """Rebuild; the last word."""
    async with _process(system, mode) as process:
        steps = [step async for step in _steps(process)]
    assert steps[-1]["step"] == "done", steps
    return steps[-1]


async def killed_at(system: ChaosSystem, step: str) -> dict[str, Any]:
    """Rebuild until the process tells `step`, and kill it there; what it told."""
    async with _process(system, "swap") as process:
        async for told in _steps(process):
            if told["step"] == step:
                process.send_signal(signal.SIGKILL)
                return told
    raise AssertionError(f"the rebuild ended without a step {step}")


@asynccontextmanager
async def _process(system: ChaosSystem, mode: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.progress.rebuild", mode,
        env={**os.environ, **system.environment}, cwd=REPOSITORY, stdout=-1,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    except BaseException:
        process.kill()
        raise
    finally:
        await process.communicate()


async def _steps(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stdout
    async for line in process.stdout:
        yield orjson.loads(line)
