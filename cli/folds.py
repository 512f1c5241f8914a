"""Runs what folds the log, in a process of its own: it needs the broker and the database, not the gateway."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import typer

from cli import exits
from stack import running
from stack.running import Running
from stack.settings import StackSettings


@asynccontextmanager
async def infrastructure(settings: StackSettings) -> AsyncIterator[Running]:
    """The broker and database of the running system, else of one that is started for this."""
    found = running.find(settings.folder)
    if found:
        yield found
        return
    from cli.programs import PROVISION  # noqa: PLC0415  0.6 s of imports that only this case needs
    from stack.system import System  # noqa: PLC0415

    typer.echo("Pagestream is not running: starting its broker and database for this …", err=True)
    async with System(settings, lambda event: None, provision=PROVISION) as system:
        yield system.running


async def output_of(
    settings: StackSettings, here: Running, module: str, *arguments: str
) -> AsyncIterator[dict[str, Any]]:
    """The JSON lines that `python -m MODULE ARGUMENTS` prints. Leaves with FAILED where it ends with an error."""
    environment = {
        "PAGESTREAM_KAFKA": here.kafka,
        "PAGESTREAM_MONGO": here.mongo,
        "PAGESTREAM_STORE": settings.store or f"file://{settings.folder / 'blobs'}",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    assert process.stdout
    try:
        async for line in process.stdout:
            yield orjson.loads(line)
        if await process.wait():
            raise typer.Exit(exits.FAILED)
    finally:
        if process.returncode is None:  # we are interrupted: it ends in order, and its output is dropped
            process.terminate()
            await process.communicate()
