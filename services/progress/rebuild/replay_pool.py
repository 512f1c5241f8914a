"""A long replay takes as many processes as there are cores: each folds its own partitions.

A document is in one partition, so the shares have nothing to do with each other. Their parent waits for all;
when it dies, for any reason, they end too.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

import orjson

from shared.projecting.checkpoint import Positions, positions_to_json

MODULE: Final = "services.progress.rebuild.replay_share"
_MAX_PROCESSES: Final = 8  # more would wait for one database
_LINE: Final = 1024 * 1024  # bytes of a line of its log, which may hold a traceback

OnFolded = Callable[[int], None]  # records that were folded since the call before


async def replay(generation: str, until: Positions, on_folded: OnFolded) -> None:
    """Fold the log into `generation` up to the positions. Where a share ends with an error, so do the others.

    Raises an ExceptionGroup of one RuntimeError.
    """
    partitions = len({place.partition for place in until})
    of = min(len(os.sched_getaffinity(0)), partitions, _MAX_PROCESSES)
    wanted = positions_to_json(until)
    async with asyncio.TaskGroup() as shares:
        for number in range(of):
            shares.create_task(_replay([generation, str(number), str(of)], wanted, on_folded))


async def _replay(arguments: Sequence[str], wanted: bytes, on_folded: OnFolded) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(wanted + b"\n")  # and it stays open: its end is our end
        before = 0
        async for line in process.stdout:
            said = orjson.loads(line)
            if "folded" in said:
                on_folded(said["folded"] - before)
                before = said["folded"]
            else:  # a line of its log
                sys.stdout.buffer.write(line)
        if code := await process.wait():
            raise RuntimeError(f"share {arguments[1]} of the replay ended with exit code {code}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # while its output is unread, `wait` need not return
