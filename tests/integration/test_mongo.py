"""What the adapter of the database promises, on a real one."""

import time

import pytest

from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from shared.storage.mongo import OUTAGES, Mongo

pytestmark = pytest.mark.timeout(60)

SLOW = {"$where": "sleep(30000) || true"}  # what no index helps


async def at_work(database: Mongo) -> list[dict[str, object]]:
    status = await database.client.admin.aggregate([{"$currentOp": {}}]).to_list(None)
    return [one for one in status if "$where" in str(one.get("command"))]


async def test_the_database_ends_what_takes_longer_than_a_caller_may_wait(
    settings: SharedSettings, database: Mongo
) -> None:
    await database.control["slow"].insert_one({"_id": "one"})
    began = time.monotonic()

    async with mongo.connect(settings, within=1.0) as hurried:
        with pytest.raises(OUTAGES):
            await hurried.control["slow"].find_one(SLOW)

    assert time.monotonic() - began < 10
    assert await at_work(database) == []
