"""A rebuild of a running system, as a process of its own."""

import asyncio
import os
import sys
from typing import Any

import orjson

from tests.support.infrastructure import REPOSITORY
from tests.support.running_system import RunningSystem


async def rebuild(system: RunningSystem, mode: str = "swap", *options: str) -> dict[str, Any]:
    """Run a rebuild as a process of its own; its last word."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.progress.rebuild", mode, *options,
        env={**os.environ, **system.environment}, cwd=REPOSITORY, stdout=-1, stderr=-1,
    )  # fmt: skip
    try:
        async with asyncio.timeout(90):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, output.decode() + errors.decode()
    told: list[dict[str, Any]] = [orjson.loads(line) for line in output.splitlines()]
    assert (told[0]["step"], told[-1]["step"]) == ("replay", "done")
    return {**told[-1], "job_id": told[0]["job_id"], "snapshot": [one["facts"] for one in told if "facts" in one]}
