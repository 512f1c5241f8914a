"""A fold publishes its status every second in the control database: its lag, and whether it has halted.

The time of the row is the database's clock; readers compute its age with the same clock.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from shared.runtime import logs
from shared.storage.mongo import OUTAGES, Mongo, Row

log = logs.get(__name__)

EVERY_SECONDS = 1.0


class Standing(Protocol):
    """How far a fold is: `lag` in records behind the log, `halted` the reason or None."""

    @property
    def lag(self) -> int: ...
    @property
    def caught_up(self) -> bool: ...
    @property
    def halted(self) -> str | None: ...


async def publish(database: Mongo, fold: str, loop: Standing, more: Row | None = None) -> None:
    """Write the fold's row: `lag`, `caught_up`, `halted`, `at`."""
    row = {"lag": loop.lag, "caught_up": loop.caught_up, "halted": loop.halted, **(more or {})}
    literal = {name: {"$literal": value} for name, value in row.items()}
    await database.control["status"].update_one({"_id": fold}, [{"$set": {**literal, "at": "$$NOW"}}], upsert=True)


async def publish_regularly(database: Mongo, fold: str, loop: Standing, more: Callable[[], Row] = dict) -> None:
    """Publish until cancelled, with the fields that `more` returns. Rows are skipped while the database is away."""
    while True:
        try:
            await publish(database, fold, loop, more())
        except OUTAGES as error:
            log.warning("the database does not answer", reason=type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)
