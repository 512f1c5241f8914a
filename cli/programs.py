"""Which programs make up the system, and what must exist before they start."""

import asyncio
import sys
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

import httpx

from shared.events.pipeline import PIPELINE
from shared.provisioning import provision
from shared.runtime.settings import SharedSettings, read
from stack.process import Program
from stack.running import Running
from stack.system import Provision

# What a replay needed is given back when it is over: with the C library's own limits a coordinator kept 50 MB of it.
_FRUGAL: Final = {"MALLOC_ARENA_MAX": "1"}
POLL: Final = 0.1  # seconds between two looks whether the gateway is ready


async def provide(running: Running) -> None:
    """Topics and indexes, in the broker and database that have just started."""
    await provision(read(SharedSettings).model_copy(update={"kafka": running.kafka, "mongo": running.mongo}))


PROVISION: Final[Sequence[Provision]] = (provide,)


def service_programs(running: Running, without: Collection[str] = ()) -> list[Program]:
    """The stages of the pipeline, the projector, and last the gateway, which is ready when it accepts uploads.

    Leaves out the services that `without` names.
    """
    modules = [*(line.service for line in PIPELINE), "services.progress"]
    programs = [Program(module.rpartition(".")[2], (sys.executable, "-m", module), env=_FRUGAL) for module in modules]
    ready, alive = partial(until_ready, f"{running.gateway}/readyz"), partial(answers, f"{running.gateway}/healthz")
    programs.append(Program("gateway", (sys.executable, "-m", "services.gateway"), ready=ready, alive=alive))
    return [program for program in programs if program.name not in without]


async def answers(url: str) -> bool:
    """Whether `url` answers at all within a few seconds."""
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        return await _is_ready(client, url)


async def until_ready(url: str) -> None:
    """Return once `url` answers with a 2xx status. Waits without a deadline."""
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        while not await _is_ready(client, url):
            await asyncio.sleep(POLL)


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
