"""`pagestream up`: the whole system in the foreground, until a signal stops it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from cli import exits
from cli.options import console
from cli.startup import Startup
from shared.events.pipeline import PIPELINE
from shared.runtime.settings import read
from stack.running import Running
from stack.settings import StackSettings

SERVICES_WITHIN: Final = 60.0  # seconds until all have answered for the first time; the slowest loads a model


def up(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin with empty data: what is stored here is deleted.")
    ] = False,
    without: Annotated[
        list[str] | None, typer.Option("--without", help="A service to leave out, to be run in a debugger.")
    ] = None,
) -> None:
    """Start everything on this machine and keep it running; Ctrl-C stops it. The data stays."""
    services = {line.service.rpartition(".")[2] for line in PIPELINE} | {"progress", "gateway"}
    if unknown := set(without or ()) - services:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: the services are {', '.join(sorted(services))}.")
    exits.run(until_interrupted(_up(fresh, frozenset(without or ()))))


async def _up(fresh: bool, without: Collection[str]) -> int:
    out = console()
    async with started(out, fresh=fresh, without=without) as running:
        where(out, running)
        await for_ever()


@asynccontextmanager
async def started(out: Console, *, fresh: bool, without: Collection[str] = ()) -> AsyncIterator[Running]:
    """The system, with every service but those in `without` answering. `out` shows its events. Leaving stops it."""
    # Kafka's and MongoDB's clients take 0.6 s to import: only who starts the system pays for them.
    from cli.programs import PROVISION, service_programs  # noqa: PLC0415
    from stack.system import System  # noqa: PLC0415

    settings = read(StackSettings)
    with Startup(out) as startup:
        programs = partial(service_programs, without=without)
        system = System(settings, startup.on_event, provision=PROVISION, programs=programs, fresh=fresh)
        running = await system.start()
        try:
            await system.ready(SERVICES_WITHIN)
            startup.finished()
            yield running
        finally:
            out.print("Stopping …")
            await system.stop()
            out.print(f"Stopped. The data is in {settings.data}/, the logs in {settings.data}/logs/.", soft_wrap=True)


def where(out: Console, running: Running) -> None:
    """Where the page is, and how to stop."""
    out.print(Text.assemble("\nPagestream is at ", (f"{running.gateway}/", "bold cyan")), soft_wrap=True)
    out.print(f"The API is described at {running.gateway}/docs. Stop with Ctrl-C.", soft_wrap=True)


async def for_ever() -> NoReturn:
    """Wait until cancelled."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("this future never ends")


async def until_interrupted(work: Coroutine[Any, Any, int], interrupted: int = exits.COMPLETED) -> int:
    """The code of `work`, or `interrupted` if SIGINT or SIGTERM ended it.

    Only the first one counts: nothing cuts the end short.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        if task.cancelled():
            return interrupted
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
