"""What everybody may ask costs little and names no machine."""

import asyncio
from typing import Any, cast

from services.gateway.api import health, system
from services.gateway.concurrency.short_cache import ShortCache
from shared.errors import Transient
from shared.storage.mongo import PyMongoError

WORDS = "mongo-7.internal:27017: [Errno 111] Connection refused"


class Away:
    """Broker, store and database in one, none of which answers."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def ping(self) -> None:
        raise self.error

    check = ping


async def said_about(error: Exception) -> dict[str, str]:
    away = cast(Any, Away(error))
    return await health.look(away, away, away)


async def test_what_does_not_answer_is_told_without_the_words_of_its_driver() -> None:
    for error in (PyMongoError(WORDS), OSError(WORDS), Transient("store_unavailable", detail=WORDS)):
        said = await said_about(error)
        assert said["database"] == "the database does not answer"
        assert said["projection"] == "unknown while the database is away"
        assert not any("internal" in sentence or "27017" in sentence for sentence in said.values())
    assert (await said_about(Transient("store_full")))["store"] == "the store is full"


async def test_who_asks_within_the_time_gets_the_same_answer_and_it_is_found_once() -> None:
    found: list[int] = []

    async def find() -> int:
        await asyncio.sleep(0.01)
        found.append(len(found))
        return len(found)

    recent = ShortCache(find, seconds=0.2)
    assert await asyncio.gather(*(recent.get() for _ in range(50))) == [1] * 50
    assert await recent.get() == 1
    async with asyncio.timeout(5):
        while await recent.get() == 1:
            await asyncio.sleep(0.02)
    assert len(found) == 2


async def test_who_goes_away_does_not_take_the_answer_from_the_others() -> None:
    go = asyncio.Event()

    async def find() -> bool:
        return await go.wait()

    recent = ShortCache(find, seconds=1)
    first, second = asyncio.create_task(recent.get()), asyncio.create_task(recent.get())
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    assert await second


def test_machines_are_named_to_the_tenant_whose_they_are_and_told_apart_by_others() -> None:
    assert system.seen_by("default", "mill/ocr-1") == "mill/ocr-1"
    others = [system.seen_by("acme", slot) for slot in ("mill/ocr-1", "mill/ocr-2", "barn/ocr-1")]
    assert len(set(others)) == 3
    assert others[0].endswith("/ocr-1")
    assert not any("mill" in name or "barn" in name for name in others)
