"""What the services publish about themselves in the control database."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from shared.storage.leases import LeaseBook, Workers
from shared.storage.mongo import Mongo, Row

SILENT_AFTER: Final = 10.0  # seconds after which the projector's word about itself no longer counts


class ServiceStatus:
    """What the other services say of themselves, in the control database."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._workers = Workers(mongo)
        self._leases = LeaseBook(mongo)

    async def ping(self) -> None:
        """Raise the driver's error when the database does not answer."""
        await self._mongo.client.admin.command("ping")

    async def folds(self) -> list[Row]:
        """One row for each fold that ever spoke: `_id`, `lag`, `halted`, `caught_up`, `at`, and `silent_seconds` since.

        The database counts the seconds: between the clocks of two machines there may be a minute.
        """
        since = {"$divide": [{"$subtract": ["$$NOW", "$at"]}, 1000]}
        return [row async for row in self._mongo.control["status"].aggregate([{"$set": {"silent_seconds": since}}])]

    async def projector(self) -> Row | None:
        """The projector's own row."""
        return next((row for row in await self.folds() if row["_id"] == "progress"), None)

    async def workers(self) -> list[Row]:
        """The workers that live."""
        return await self._workers.live()

    async def stages(self, workers: Sequence[Row]) -> dict[str, Row]:
        """By stage: how many `workers` there are, their `slots` together, and how many are `busy` with a slice."""
        found: dict[str, Row] = defaultdict(lambda: {"workers": 0, "slots": 0, "busy": 0})
        for worker in workers:
            found[worker["stage"]]["workers"] += 1
            found[worker["stage"]]["slots"] += worker["slots"]
        for stage, count in (await self._leases.busy()).items():
            found[stage]["busy"] = count
        return found
