"""Whether a consumer still fetches: its task can die without an error, and then no record arrives any more."""

import asyncio
import time
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

_EVERY_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 10.0  # how long a partition may stand with more to come while nothing arrives at all,
_BUSY_SECONDS: Final = 30.0  # and while others flow, which come first for a while
_TURNS: Final = 8  # of the caller in that time: who was held up elsewhere has not waited for records
_ANSWER_SECONDS: Final = 5.0
_NOWHERE: Final = -1  # the position of a partition that was given to the consumer and never begun


class FetchingStopped(RuntimeError):
    """The consumer has stopped fetching without an error; only a new process helps."""


class _Since(NamedTuple):
    """Where a partition with more to come stands, and since when."""

    position: int
    seconds: float
    turn: int


class FetchWatchdog:
    """Watches one consumer. A partition that stays where it is while it has more is the sign, whatever others do."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._looked = time.monotonic()
        self._turn = 0
        self._behind: dict[TopicPartition, _Since] = {}

    async def look(self, *, idle: bool = True) -> None:
        """To be called in each turn of the caller, which asked for records and got none (`idle`) or some.

        Raises FetchingStopped.
        """
        self._turn += 1
        now = time.monotonic()
        if now - self._looked < _EVERY_SECONDS:
            return
        before, self._behind = self._behind, {}
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                positions = await self._now_behind()
        except (KafkaError, TimeoutError):
            positions = {}  # the broker is away, which is no fault of the consumer's
        for place, position in positions.items():
            since = before.get(place)
            stays = since is not None and since.position == position
            self._behind[place] = since if since and stays else _Since(position, now, self._turn)
        self._looked = time.monotonic()
        patience = _IDLE_SECONDS if idle else _BUSY_SECONDS
        stuck = [
            place
            for place, since in self._behind.items()
            if now - since.seconds >= patience and self._turn - since.turn >= _TURNS
        ]
        if stuck:
            raise FetchingStopped(f"{len(stuck)} partitions of {stuck[0].topic} have records that do not arrive")

    async def _now_behind(self) -> dict[TopicPartition, int]:
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        positions = await asyncio.gather(*(self._position(place) for place in ends))
        return {place: at for (place, end), at in zip(ends.items(), positions, strict=True) if at < end}

    async def _position(self, place: TopicPartition) -> int:
        try:
            return await asyncio.wait_for(self._consumer.position(place), 1.0)
        except TimeoutError:
            return _NOWHERE
        except IllegalStateError:  # taken away in a rebalance
            return 2**63 - 1
