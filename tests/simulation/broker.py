"""A broker in memory with Kafka's semantics as far as the project uses them, and with its anomalies.

An idempotent producer keeps the order of each partition and tries for ever, so a record whose confirmation is lost is
in the log all the same. A consumer is handed any partitions in any order and any number of records. A group commits
positions; who joins, leaves or is silent for too long moves partitions, and what was not committed is delivered again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError, OffsetOutOfRangeError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import OffsetAndMetadata

from tests.simulation.scheduler import EPOCH, Process, Scheduler, loop

_REQUEST_SECONDS: Final = 40.0  # until a question to a broker that is away fails
_PARTITIONER: Final = DefaultPartitioner()


@dataclass
class Weather:
    """What goes wrong between clients and the broker."""

    slow: float = 0.0  # the share of confirmations that take seconds
    unconfirmed: float = 0.0  # the share of records whose confirmation never comes
    refused: float = 0.0  # the share of sends that fail at once
    crumbs: bool = False  # consumers are handed a few records at once
    fetched: float = 0.0  # the share of reads that were fetched ahead: nobody else goes on meanwhile


@dataclass
class Member:
    """A consumer in a group; `instance` survives its process."""

    instance: str
    process: Process
    places: list[TopicPartition] = field(default_factory=list)


@dataclass
class Group:
    """The workers of one stage: who has which partitions, and what is committed."""

    members: dict[str, Member] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    generation: int = 0  # how often the partitions were shared out


class Broker:
    """The one broker of a world; `partitions` of each keyed topic."""

    def __init__(self, partitions: int, weather: Weather | None = None) -> None:
        self.partitions = partitions
        self.weather = weather or Weather()
        self.away_until = 0.0
        self.log: dict[TopicPartition, list[ConsumerRecord]] = {}
        self.groups: dict[str, Group] = {}
        self.heard: list[Callable[[ConsumerRecord], None]] = []  # the world's ears
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}  # by topic

    def places(self, topic: str) -> list[TopicPartition]:
        count = 1 if topic == "parked" else self.partitions
        return [TopicPartition(topic, number) for number in range(count)]

    def records(self, place: TopicPartition) -> list[ConsumerRecord]:
        return self.log.setdefault(place, [])

    def end(self, place: TopicPartition) -> int:
        return len(self.log.get(place, ()))

    def append(self, place: TopicPartition, key: bytes | None, value: bytes, headers: Iterable[Any]) -> ConsumerRecord:
        found = self.records(place)
        timestamp = int((EPOCH + loop().now) * 1000)
        record = ConsumerRecord(
            place.topic, place.partition, len(found), timestamp, 0, key, value, None,
            len(key or b""), len(value), tuple(headers),
        )  # fmt: skip
        found.append(record)
        for listen in self.heard:
            listen(record)
        for future in self._waiting.pop(place.topic, ()):
            if not future.done():
                future.set_result(None)
        return record

    async def news(self, topics: Iterable[str], seconds: float) -> None:
        """Wait until something is appended to one of the topics, or so long."""
        world = loop()
        future = world.create_future()
        for topic in topics:
            self._waiting.setdefault(topic, []).append(future)
        timer = world.call_later(seconds, _release, future)
        try:
            await future
        finally:
            timer.cancel()

    async def answers(self) -> None:
        """Wait until the broker is there. Raises KafkaTimeoutError."""
        world = loop()
        wait = self.away_until - world.now
        if wait > _REQUEST_SECONDS:
            await asyncio.sleep(_REQUEST_SECONDS)
            raise KafkaTimeoutError
        if wait > 0:
            await asyncio.sleep(wait)
        await asyncio.sleep(0.0005 + 0.003 * world.random.random())


def _release(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class BrokerProducer:
    """What `AIOKafkaProducer` is to the project."""

    def __init__(self, broker: Broker, max_request_size: int = 1024 * 1024) -> None:
        self._broker = broker
        self._max = max_request_size
        self._process = loop().process
        self._last: dict[TopicPartition, float] = {}  # when the last record arrives, by partition
        self.client = SimpleNamespace(close=self._closed)

    async def start(self) -> None:
        await self._broker.answers()

    async def stop(self) -> None:
        """Flush."""
        world = loop()
        while wait := max([*self._last.values(), self._broker.away_until], default=0.0) - world.now > 0:
            await asyncio.sleep(max(wait, 0.01))

    async def _closed(self) -> None:
        pass

    async def send(
        self, topic: str, value: bytes, *, key: bytes | None = None, headers: Sequence[Any] = ()
    ) -> "asyncio.Future[ConsumerRecord]":
        """Raises KafkaError; the future is the confirmation."""
        world, weather = loop(), self._broker.weather
        await world.world.faults.called()
        if len(value) + len(key or b"") > self._max:
            raise MessageSizeTooLargeError(f"The message is {len(value)} bytes")
        if weather.refused and world.random.random() < weather.refused:
            raise KafkaConnectionError("the connection is broken")
        place = self._place(topic, key, world)
        confirmed = world.create_future()
        now = world.now
        arrives = max(self._last.get(place, 0.0), self._broker.away_until, now)
        if arrives > now or world.random.random() < 0.5:
            arrives += 0.0005 + 0.003 * world.random.random()
            self._last[place] = arrives
            world.call_for(world.outside, arrives, self._arrive, place, key, value, headers, confirmed)
        else:
            self._arrive(place, key, value, headers, confirmed)
            await world.world.faults.called()
        return confirmed

    def _place(self, topic: str, key: bytes | None, world: Scheduler) -> TopicPartition:
        places = self._broker.places(topic)
        if key is None:
            return world.random.choice(places)
        numbers = [place.partition for place in places]
        return TopicPartition(topic, _PARTITIONER(key, numbers, numbers))

    def _arrive(
        self, place: TopicPartition, key: bytes | None, value: bytes, headers: Any, confirmed: "asyncio.Future[Any]"
    ) -> None:
        world, weather = loop(), self._broker.weather
        if self._process.dead and world.random.random() < 0.5:
            return  # it was in the buffer of a process that is gone
        if self._broker.away_until > world.now:  # it went away meanwhile: the producer tries again
            again = self._broker.away_until + 0.01 * world.random.random()
            self._last[place] = max(self._last.get(place, 0.0), again)
            world.call_for(world.outside, self._last[place], self._arrive, place, key, value, headers, confirmed)
            return
        record = self._broker.append(place, key, value, headers)
        if weather.unconfirmed and world.random.random() < weather.unconfirmed:
            return
        slow = weather.slow and world.random.random() < weather.slow
        later = world.random.uniform(0.5, 20.0) if slow else 0.002 * world.random.random()
        world.call_for(self._process, world.now + later, _confirm, confirmed, record)


def _confirm(confirmed: "asyncio.Future[Any]", record: ConsumerRecord) -> None:
    if not confirmed.done():
        confirmed.set_result(record)


class Consumer:
    """What `AIOKafkaConsumer` without a group is to the project."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._positions: dict[TopicPartition, int | None] = {}
        self._marks: dict[TopicPartition, int] = {}
        self._topics: set[str] = set()
        self._paused: set[TopicPartition] = set()
        self._client = SimpleNamespace(close=self._closed)
        self._fetcher = SimpleNamespace()  # there is nothing to set: what is read is taken at once

    async def start(self) -> None:
        await self._broker.answers()

    async def stop(self) -> None:
        pass

    async def _closed(self) -> None:
        pass

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self._positions = dict.fromkeys(places)
        self._topics = {place.topic for place in places}

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._positions[place] = offset

    def pause(self, *places: TopicPartition) -> None:
        self._paused.update(places)

    def resume(self, *places: TopicPartition) -> None:
        self._paused.difference_update(places)

    async def position(self, place: TopicPartition) -> int:
        found = self._positions[place]
        assert found is not None
        return found

    def highwater(self, place: TopicPartition) -> int | None:
        return self._marks.get(place)

    async def end_offsets(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        await self._broker.answers()
        return {place: self._broker.end(place) for place in places}

    async def beginning_offsets(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        await self._broker.answers()
        return dict.fromkeys(places, 0)

    async def getmany(
        self, *places: TopicPartition, timeout_ms: int = 0, max_records: int = 500
    ) -> Mapping[TopicPartition, list[ConsumerRecord]]:
        world = loop()
        until = world.now + timeout_ms / 1000
        while True:
            if self._broker.away_until <= world.now:
                found = self._fetched(places or tuple(self._positions), max_records, world)
                if found:
                    ahead = self._broker.weather.fetched
                    if not (ahead and world.random.random() < ahead):
                        await asyncio.sleep(0.003 * world.random.random())
                    return found
            left = until - world.now
            if left <= 0:
                return {}
            away = self._broker.away_until - world.now
            if away > 0:
                await asyncio.sleep(min(left, away))
            else:
                await self._broker.news(self._topics, left)

    def _fetched(
        self, places: Sequence[TopicPartition], most: int, world: Scheduler
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        there = []
        for place in places:
            position, end = self._positions[place], self._broker.end(place)
            if position is not None and position > end:
                raise OffsetOutOfRangeError({place: position})
            if position is not None and position < end and place not in self._paused:
                there.append(place)
        if not there:
            return {}
        random = world.random
        random.shuffle(there)
        there = there[: random.randint(1, len(there))]
        if self._broker.weather.crumbs:
            most = min(most, random.randint(1, 4))
        found = {}
        for place in there:
            position = self._positions[place]
            assert position is not None
            records = self._broker.records(place)[position : position + most]
            if records:
                found[place] = records
                self._positions[place] = position + len(records)
                self._marks[place] = self._broker.end(place)
                most -= len(records)
        return found


class Admin:
    """What `AIOKafkaAdminClient` is to those who ask how far a group is."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def start(self) -> None:
        await self._broker.answers()

    async def close(self) -> None:
        pass

    async def list_consumer_group_offsets(self, group: str) -> Mapping[TopicPartition, OffsetAndMetadata]:
        await self._broker.answers()
        committed = self._broker.groups.get(group, Group()).committed
        return {place: OffsetAndMetadata(offset, "") for place, offset in committed.items()}
