"""A long poll reads when something has happened, and what happens together is read once."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.gateway.api import documents
from services.gateway.auth.limits import Allotment
from services.gateway.live.change_waiters import ChangeWaiters
from services.gateway.problems import Problem
from services.gateway.targets import Target

FEED = Target.of_feed("acme")


def hub_and_limits(changes: ChangeWaiters, connections: int = 1) -> Any:
    limits = SimpleNamespace(connections=Allotment("too_many_connections", connections))
    return SimpleNamespace(reader=SimpleNamespace(changes=changes), closing=asyncio.Event()), limits


REQUEST = cast(
    Any,
    SimpleNamespace(
        state=SimpleNamespace(caller=SimpleNamespace(name="key:anne")), client=SimpleNamespace(host="10.0.0.1")
    ),
)


async def test_a_list_that_stays_the_same_is_not_read_for_each_change_of_others() -> None:
    changes, reads = ChangeWaiters(), []

    async def read() -> tuple[str, dict[str, Any]]:
        reads.append(1)
        return "g:1", {}

    async def others() -> None:
        while True:
            changes.wake(FEED)
            await asyncio.sleep(0.001)

    busy = asyncio.create_task(others())
    async with asyncio.timeout(5):
        assert await documents.newer(*hub_and_limits(changes), REQUEST, FEED, read, 1.0, "g:1") == ("g:1", {})
    busy.cancel()
    assert 2 <= len(reads) <= 1.0 / documents._BREATH + 2


async def test_a_change_after_a_quiet_time_is_answered_at_once() -> None:
    changes, tags = ChangeWaiters(), ["g:1", "g:2"]

    async def read() -> tuple[str, dict[str, Any]]:
        return tags.pop(0), {}

    asking = asyncio.create_task(documents.newer(*hub_and_limits(changes), REQUEST, FEED, read, 30, "g:1"))
    await asyncio.sleep(2 * documents._BREATH)
    changes.wake(FEED)
    async with asyncio.timeout(5):
        assert await asking == ("g:2", {})


async def test_who_waits_counts_as_a_connection_until_it_is_answered() -> None:
    changes = ChangeWaiters()
    parts = hub_and_limits(changes)

    async def read() -> tuple[str, dict[str, Any]]:
        return "g:1", {}

    asking = asyncio.create_task(documents.newer(*parts, REQUEST, FEED, read, 30, "g:1"))
    await asyncio.sleep(0.05)
    with pytest.raises(Problem, match="too_many_connections"):
        await documents.newer(*parts, REQUEST, FEED, read, 30, "g:1")
    assert await documents.newer(*parts, REQUEST, FEED, read, 0, "g:1") == ("g:1", {})  # who does not wait may ask
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await documents.newer(*parts, REQUEST, FEED, read, 1, "g:0") == ("g:1", {})
