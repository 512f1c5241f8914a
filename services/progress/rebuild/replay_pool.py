"""A long replay takes as many processes as there are cores: each folds its own partitions.

A document is in one partition, so the shares have nothing to do with each other. Their parent waits for all;
when it dies, for any reason, they end too. The parts of a snapshot are taken up in the same way.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, Literal

import orjson

from shared.projecting.checkpoint import Positions, to_row

MODULE: Final = "services.progress.rebuild.replay_share"
_MAX_PROCESSES: Final = 8  # more would wait for one database
_LINE: Final = 1024 * 1024  # bytes of a line of its log, which may hold a traceback
_REFUSED: Final = 2  # the exit code of a process that refuses, and has said why

OnDone = Callable[[int], None]  # records or rows that were done since the call before
What = Literal["fold", "restore"]


class Refused(Exception):
    """A share could not use what it was given."""


async def replay(generation: str, until: Positions, on_folded: OnDone) -> None:
    """Fold the log into `generation` up to the positions. Where a share ends with an error, so do the others.

    Raises an ExceptionGroup of one RuntimeError.
    """
    partitions = len({place.partition for place in until})
    await _in_shares("fold", generation, orjson.dumps(to_row(until)), partitions, on_folded)


async def restore(generation: str, snapshot: str, on_rows: OnDone) -> None:
    """Take the rows of the snapshot of this name up into `generation`.

    Raises an ExceptionGroup of one RuntimeError, or of one Refused where the snapshot is of no use.
    """
    await _in_shares("restore", generation, orjson.dumps(snapshot), _MAX_PROCESSES, on_rows)


async def _in_shares(what: What, generation: str, wanted: bytes, limit: int, on_done: OnDone) -> None:
    of = min(len(os.sched_getaffinity(0)), limit, _MAX_PROCESSES)
    async with asyncio.TaskGroup() as shares:
        for number in range(of):
            shares.create_task(_share([what, generation, str(number), str(of)], wanted, on_done))


async def _share(arguments: Sequence[str], wanted: bytes, on_done: OnDone) -> None:
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
            if "done" in said:
                on_done(said["done"] - before)
                before = said["done"]
            else:  # a line of its log
                sys.stdout.buffer.write(line)
        code = await process.wait()
        if code == _REFUSED:
            raise Refused
        if code:
            raise RuntimeError(f"share {arguments[2]} of the replay ended with exit code {code}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # while its output is unread, `wait` need not return
