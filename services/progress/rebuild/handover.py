"""How the live projection changes hands: a rebuild asks it to end, standbys wait until the rebuild is done with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from services.progress.projection import generations
from shared.errors import Rejected
from shared.storage.leases import Ownership, holding
from shared.storage.mongo import OUTAGES, Mongo

_ASK_AGAIN_SECONDS: Final = 3.0  # well within the time after which a request lapses
_STANDBY_SECONDS: Final = 0.5


@asynccontextmanager
async def asking(database: Mongo, live: str | None) -> AsyncIterator[None]:
    """Ask the live projection to end, and its successors to wait, for as long as the body runs.

    Raises Rejected("rebuild_overtaken") where `live` is not live any more; None does nothing.
    """
    if live is None:
        yield
        return
    if not await generations.ask_to_make_way(database, live):
        raise Rejected("rebuild_overtaken")
    insisting = asyncio.create_task(_insist(database, live))
    try:
        yield
    finally:
        insisting.cancel()
        await asyncio.gather(insisting, return_exceptions=True)
        with suppress(*OUTAGES):  # it lapses
            await generations.withdraw(database, live)


async def _insist(database: Mongo, live: str) -> None:
    while True:
        await asyncio.sleep(_ASK_AGAIN_SECONDS)
        with suppress(*OUTAGES):
            await generations.ask_to_make_way(database, live)


@asynccontextmanager
async def turn(database: Mongo, ownership: Ownership) -> AsyncIterator[None]:
    """Wait to be the one live projection, and be it during the body; a rebuild that waits for it comes first."""
    while True:
        while await generations.must_make_way(database):
            await asyncio.sleep(_STANDBY_SECONDS)
        async with holding(ownership):
            if not await generations.must_make_way(database):  # it may have asked while we queued
                yield
                return
