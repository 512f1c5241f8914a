"""Whether a consumer still fetches: its task can die without an error, and then it waits for ever for what is there."""

import asyncio
import time
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

_EVERY_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 5.0
_NOWHERE: Final = -1  # the position of a partition that was given to the consumer and never begun


class FetchingStopped(RuntimeError):
    """The consumer has stopped fetching without an error; only a new process helps."""


class Fetching:
    """Watches one consumer. A partition that stays where it is while it has more is the sign."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._looked = time.monotonic()
        self._behind: dict[TopicPartition, int] = {}  # where it stood at the last look, with more to come

    async def look(self) -> None:
        """To be called while the caller waits for records, as often as it likes. Raises FetchingStopped."""
        if time.monotonic() - self._looked < _EVERY_SECONDS:
            return
        before, self._behind = self._behind, {}
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                self._behind = await self._now_behind()
        except (KafkaError, TimeoutError):
            pass  # the broker is away, which is no fault of the consumer's
        self._looked = time.monotonic()
        stuck = [place for place, position in self._behind.items() if before.get(place) == position]
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
