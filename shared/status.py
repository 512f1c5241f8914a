"""What a fold says of itself every second, in the control database: how far behind it is, whether it has halted."""

import asyncio
from collections.abc import Callable

from shared.events import utcnow
from shared.folding import Loop
from shared.mongo import Mongo, Row

EVERY_SECONDS = 1.0


async def tell(database: Mongo, fold: str, loop: Loop, more: Row | None = None) -> None:
    """Write the fold's row: `lag` in records, `caught_up`, `halted` (the reason or None), `at`."""
    row = {"lag": loop.lag, "caught_up": loop.caught_up, "halted": loop.halted, "at": utcnow(), **(more or {})}
    await database.control["status"].update_one({"_id": fold}, {"$set": row}, upsert=True)


async def telling(database: Mongo, fold: str, loop: Loop, more: Callable[[], Row] = dict) -> None:
    """Tell for ever, with what `more` says at the moment."""
    while True:
        await tell(database, fold, loop, more())
        await asyncio.sleep(EVERY_SECONDS)
