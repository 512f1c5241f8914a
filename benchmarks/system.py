"""A whole system for one measurement: real processes, free ports, a folder that is gone afterwards."""

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cli.programs import PROVISION, service_programs
from pagestream import PagestreamClient
from shared.storage.blobs import Blobs
from stack.settings import StackSettings
from stack.system import System


def settings(folder: Path) -> StackSettings:
    """A stack in `folder` on free ports; what was downloaded for the project is used again."""
    return StackSettings(
        data=folder / "data",
        cache=StackSettings().downloads,
        kafka_port=0,
        kafka_controller_port=0,
        mongo_port=0,
        gateway_port=0,
    )


def started(folder: Path) -> System:
    """The whole system in `folder`, to be entered."""
    return System(settings(folder), lambda event: None, provision=PROVISION, programs=service_programs)


@asynccontextmanager
async def system() -> AsyncIterator[tuple[System, PagestreamClient]]:
    """The running system and a client of it."""
    with tempfile.TemporaryDirectory(prefix="pagestream-bench-") as folder:
        async with system_in(Path(folder)) as parts:
            yield parts


@asynccontextmanager
async def system_in(folder: Path) -> AsyncIterator[tuple[System, PagestreamClient]]:
    """The running system, whose data is in `folder`, and a client of it."""
    async with started(folder) as running:
        await running.ready(60.0)
        async with PagestreamClient(str(running.running.gateway)) as client:
            yield running, client


def blobs_in(folder: Path) -> Blobs:
    """The store of the system in `folder`."""
    return Blobs.open(f"file://{settings(folder).folder / 'blobs'}")


async def completed(
    client: PagestreamClient, document_id: str, told: Callable[[int], object] = lambda done: None
) -> None:
    """Wait until the document has ended. Raises RuntimeError unless it is completed. `told` gets the pages done."""
    view: Mapping[str, Any] = {}
    async for state in client.watch([document_id]):
        view = state.view or {}
        told(view.get("pages", {}).get("done", 0))
    if view.get("status") != "completed":
        raise RuntimeError(f"the document ended as {view.get('status')}: {view.get('error')}")


async def begun(client: PagestreamClient, document_id: str) -> None:
    """Wait until a page of the document is done."""
    async for state in client.watch([document_id]):
        if ((state.view or {}).get("pages") or {}).get("done"):
            return


async def outlasted(client: PagestreamClient, document_id: str) -> None:
    """Insist that the document was at work all the time."""
    view = await client.document(document_id)
    if view["status"] != "processing":
        raise RuntimeError(f"the book was too short: it is {view['status']}")
