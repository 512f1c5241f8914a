"""A consumer whose partitions stand still, seen by a clock of the test's own."""

from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.kafka import fetch_watchdog
from shared.kafka.fetch_watchdog import FetchingStopped, FetchWatchdog

A, B = TopicPartition("documents", 0), TopicPartition("documents", 1)


class Consumer:
    def __init__(self) -> None:
        self.at = {A: 0, B: 0}
        self.ends = {A: 10, B: 10}

    def assignment(self) -> set[TopicPartition]:
        return set(self.at)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return self.ends

    async def position(self, place: TopicPartition) -> int:
        return self.at[place]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(fetch_watchdog, "time", clock)
    return clock


async def turns(watch: FetchWatchdog, clock: Clock, seconds: float, *, idle: bool, flows: Any = lambda: None) -> None:
    """A turn each second."""
    for _ in range(int(seconds)):
        clock.now += 1
        flows()
        await watch.look(idle=idle)


async def test_a_partition_that_stands_still_is_noticed_while_another_flows(clock: Clock) -> None:
    consumer = Consumer()
    watch = FetchWatchdog(consumer)

    def flows() -> None:
        consumer.at[A] += 100
        consumer.ends[A] += 100

    with pytest.raises(FetchingStopped):
        await turns(watch, clock, 60, idle=False, flows=flows)


async def test_when_nothing_arrives_at_all_it_is_noticed_within_twenty_seconds(clock: Clock) -> None:
    watch = FetchWatchdog(Consumer())
    with pytest.raises(FetchingStopped):
        await turns(watch, clock, 21, idle=True)


async def test_who_was_held_up_elsewhere_does_not_blame_the_consumer(clock: Clock) -> None:
    watch = FetchWatchdog(Consumer())
    await turns(watch, clock, 11, idle=False)
    clock.now += 120  # the database was away
    await watch.look(idle=False)


async def test_what_moves_or_has_no_more_is_well(clock: Clock) -> None:
    consumer = Consumer()
    consumer.at[B] = consumer.ends[B]

    def flows() -> None:
        consumer.at[A] += 1
        consumer.ends[A] += 1

    await turns(FetchWatchdog(consumer), clock, 200, idle=False, flows=flows)
