"""What FastStream and a consumer group are to the worker: one record at a time, acknowledged by hand, at least once.

Membership is static: a slot that comes back in time has its partitions again and nobody else stops. One that stays away
for a session loses them, and what it had not acknowledged is delivered to another.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition

from tests.simulation.broker import Broker, Group, Member
from tests.simulation.scheduler import Process, loop

_SESSION_SECONDS: Final = 10.0


class KafkaBroker:
    """In place of `faststream.kafka.KafkaBroker`."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._broker: Broker = loop().world.broker
        self._subscribers: list[Subscriber] = []

    def subscriber(self, topic: str, *, group_id: str, group_instance_id: str, **_: Any) -> "Subscriber":
        subscriber = Subscriber(self._broker, topic, group_id, group_instance_id)
        self._subscribers.append(subscriber)
        return subscriber

    async def start(self) -> None:
        for subscriber in self._subscribers:
            await subscriber.start()

    async def stop(self) -> None:
        for subscriber in self._subscribers:
            await subscriber.stop()


class Subscriber:
    """One consumer of a group."""

    def __init__(self, broker: Broker, topic: str, group: str, instance: str) -> None:
        self._broker = broker
        self._topic = topic
        self._group = broker.groups.setdefault(group, Group())
        self._instance = instance
        self._positions: dict[TopicPartition, int] = {}
        self._running: asyncio.Task[None] | None = None
        self._handler: Callable[[bytes, Any], Awaitable[None]]
        self.consumer = self

    def __call__(self, handler: Callable[[bytes, Any], Awaitable[None]]) -> None:
        self._handler = handler

    async def start(self) -> None:
        await self._broker.answers()
        join(self._broker, self._group, self._topic, Member(self._instance, loop().process))
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])

    # ---- what `Fetching` asks of a consumer

    def assignment(self) -> set[TopicPartition]:
        return set(self._mine())

    async def position(self, place: TopicPartition) -> int:
        return self._position(place)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        await self._broker.answers()
        return {place: self._broker.end(place) for place in places}

    # ---- delivering

    def _mine(self) -> list[TopicPartition]:
        member = self._group.members.get(self._instance)
        return member.places if member and member.process is loop().process else []

    def _position(self, place: TopicPartition) -> int:
        return self._positions.get(place, self._group.committed.get(place, 0))

    async def _run(self) -> None:
        generation = -1
        while True:
            if self._broker.away_until > loop().now:
                await asyncio.sleep(self._broker.away_until - loop().now)
            if self._instance not in self._group.members:  # its session has expired while it could not speak
                join(self._broker, self._group, self._topic, Member(self._instance, loop().process))
            mine = self._mine()
            if generation != self._group.generation:  # a rebalance: from where the group has committed
                generation, self._positions = self._group.generation, {}
            ahead = [place for place in mine if self._position(place) < self._broker.end(place)]
            if not ahead:
                await self._broker.news([self._topic], 2.0)
                continue
            place = loop().random.choice(ahead)
            record = self._broker.records(place)[self._position(place)]
            self._positions[place] = record.offset + 1
            await asyncio.sleep(0.002 * loop().random.random())
            await self._handler(record.value, self._message(record))

    def _message(self, record: ConsumerRecord) -> Any:
        async def ack() -> None:
            """Commits the position of every partition that is still ours, not of this record alone."""
            while self._broker.away_until > loop().now:  # the client tries again until it is there
                await asyncio.sleep(self._broker.away_until - loop().now)
            await asyncio.sleep(0.002 * loop().random.random())
            for place in self._mine():
                if place in self._positions:
                    self._group.committed[place] = self._positions[place]

        headers = {name: value.decode() for name, value in record.headers}
        return SimpleNamespace(body=record.value, headers=headers, raw_message=record, ack=ack)


def join(broker: Broker, group: Group, topic: str, member: Member) -> None:
    """A member comes, or comes back."""
    before = group.members.get(member.instance)
    if before:
        member.places = before.places
        group.members[member.instance] = member
    else:
        group.members[member.instance] = member
        _share_out(broker, group, topic)


def silent(broker: Broker, process: Process) -> None:
    """A process has died or fell silent: its session expires, unless its slot comes back."""
    world = loop()
    for name, group in broker.groups.items():
        for member in list(group.members.values()):
            if member.process is process:
                topic = name.replace("workers.", "slices.", 1)
                world.call_for(world.outside, world.now + _SESSION_SECONDS, _expire, broker, group, topic, member)


def _expire(broker: Broker, group: Group, topic: str, member: Member) -> None:
    is_silent = member.process.dead or member.process.frozen_until > loop().now
    if group.members.get(member.instance) is member and is_silent:
        del group.members[member.instance]
        _share_out(broker, group, topic)


def _share_out(broker: Broker, group: Group, topic: str) -> None:
    group.generation += 1
    members = sorted(group.members.values(), key=lambda member: member.instance)
    for member in members:
        member.places = []
    for number, place in enumerate(broker.places(topic)):
        if members:
            members[number % len(members)].places.append(place)
