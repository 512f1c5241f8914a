"""`pagestream rebuild`: the projection anew from the log, with the proof that it is the same."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import typer
from rich.console import Console

from cli import exits
from cli.options import console
from cli.up import until_interrupted
from shared.settings import read
from stack import running
from stack.running import Running
from stack.settings import StackSettings

STEPS: Final[Mapping[str, str]] = {
    "replay": "Replaying the log into generation {generation} …",
    "stop": "The live projection makes way, the last facts follow …",
}


def rebuild() -> None:
    """Build the projection anew from the log, compare it with the one before, and let readers read the new one.

    Works beside a running system and on one that is stopped. Exit code 1 means that the two are not the same.
    """
    exits.run(until_interrupted(_rebuild()))


async def _rebuild() -> int:
    out = console()
    settings = read(StackSettings)
    async with _infrastructure(out, settings) as here:
        outcome = await _run(out, settings, here)
    return _tell(out, outcome)


@asynccontextmanager
async def _infrastructure(out: Console, settings: StackSettings) -> AsyncIterator[Running]:
    """The broker and database of the running system, else of one that is started for this."""
    found = running.find(settings.folder)
    if found:
        yield found
        return
    from cli.programs import PROVISION  # noqa: PLC0415  0.6 s of imports that only this case needs
    from stack.system import System  # noqa: PLC0415

    out.print("Pagestream is not running: starting its broker and database for this …", soft_wrap=True)
    async with System(settings, lambda event: None, provision=PROVISION) as system:
        yield system.running


async def _run(out: Console, settings: StackSettings, here: Running) -> Mapping[str, Any]:
    """Rebuild in a process of its own, as every fold runs; the outcome it tells. Raises typer.Exit where it fails."""
    environment = {
        "PAGESTREAM_KAFKA": here.kafka,
        "PAGESTREAM_MONGO": here.mongo,
        "PAGESTREAM_STORE": settings.store or f"file://{settings.folder / 'blobs'}",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.progress.rebuild",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    assert process.stdout
    told: dict[str, Any] = {}
    async for line in process.stdout:
        told = orjson.loads(line)
        if sentence := STEPS.get(told.get("step", "")):
            out.print(sentence.format_map(told), soft_wrap=True)
        elif told.get("step") != "done":
            out.print(str(told.get("exception", told)), soft_wrap=True)
    if await process.wait():
        raise typer.Exit(exits.FAILED)
    return told


def _tell(out: Console, outcome: Mapping[str, Any]) -> int:
    out.print(f"Generation {outcome['generation']} is live.", soft_wrap=True)
    out.print(f"digest  {outcome['digest']}", soft_wrap=True)
    if "digest_before" not in outcome:
        out.print("There was no projection to compare with.", soft_wrap=True)
        return exits.COMPLETED
    out.print(f"before  {outcome['digest_before']}", soft_wrap=True)
    different = outcome["differences"]
    out.print(f"{len(different)} differences" + "".join(f"\n  {row}" for row in different[:20]), soft_wrap=True)
    return exits.FAILED if different else exits.COMPLETED
