"""Facts of the deciders: each once, in order, and only a few on their way through the log at the same time."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from services.progress.deciders import fact_appender
from services.progress.deciders.fact_appender import FactAppender
from shared.events.document import Fact
from shared.projecting.batch import Batch, Entry
from tests.support.document_facts import requested

MANY = 1_000
FEW = 50
FACTS = [requested(document=f"6f1c2b8e-6a53-4c36-9a3e-{number:012d}") for number in range(MANY)]


class Said:
    """Stands for the log."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    async def append_all(self, facts: Sequence[tuple[Fact, Any]]) -> None:
        await asyncio.sleep(0)
        self.facts += [fact for fact, _ in facts]


async def rest() -> None:
    """Let everybody go on as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_as_many_facts_follow_as_the_fold_has_read() -> None:
    log = Said()
    appender = FactAppender(log)  # type: ignore[arg-type]
    running = asyncio.create_task(appender.run())
    for fact in FACTS:
        appender.append(fact)
    read = 0
    while read < MANY:
        await rest()
        assert 0 < len(log.facts) - read <= FEW
        entries = [Entry(number, fact) for number, fact in enumerate(log.facts[read : read + 7])]
        read += len(entries)
        appender.came_back(Batch(facts=entries))
    assert log.facts == FACTS
    running.cancel()


async def test_a_fact_in_line_or_on_its_way_is_not_said_again() -> None:
    log = Said()
    appender = FactAppender(log)  # type: ignore[arg-type]
    running = asyncio.create_task(appender.run())
    for _ in range(2):
        for fact in FACTS[: FEW + 1]:
            appender.append(fact)
        await rest()
    appender.came_back(Batch(facts=[Entry(0, FACTS[0])]))
    await rest()
    assert log.facts == FACTS[: FEW + 1]
    running.cancel()


async def test_what_is_lost_on_its_way_keeps_no_place_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(fact_appender, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(fact_appender, "_LOOK_SECONDS", 0.001)
    log = Said()
    appender = FactAppender(log)  # type: ignore[arg-type]
    running = asyncio.create_task(appender.run())
    for fact in FACTS[: 2 * FEW]:
        appender.append(fact)
    await rest()
    assert len(log.facts) == FEW
    now += fact_appender.SAID_SECONDS
    async with asyncio.timeout(5):
        while len(log.facts) < 2 * FEW:
            await asyncio.sleep(0.001)
    appender.append(FACTS[0])  # and it may be said again
    now += fact_appender.SAID_SECONDS
    async with asyncio.timeout(5):
        while len(log.facts) < 2 * FEW + 1:
            await asyncio.sleep(0.001)
    running.cancel()
