"""Reads a partition once, for one query of the log: all of it, or the records at given offsets."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from shared.errors import Transient
from shared.kafka.consumer import consuming

_POLL_MS: Final = 500


def place_of(topic: str, key: str, partitions: int) -> TopicPartition:
    """The partition that holds everything under `key`."""
    numbers = list(range(partitions))
    return TopicPartition(topic, DefaultPartitioner()(key.encode(), numbers, numbers))


async def to_the_end(address: str, place: TopicPartition) -> AsyncGenerator[ConsumerRecord, None]:
    """Every record that is kept in the partition now, oldest first."""
    async with consuming(address, [place]) as consumer:
        end = (await consumer.end_offsets([place]))[place]
        # Not seek_to_beginning: the reset that a new assignment asks for may be answered after it, with the end.
        consumer.seek(place, (await consumer.beginning_offsets([place]))[place])
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=_POLL_MS)).get(place, ()):
                yield record


async def at_offsets(
    address: str, place: TopicPartition, offsets: Sequence[int]
) -> AsyncGenerator[ConsumerRecord, None]:
    """The records at these offsets of the partition, which must ascend; a long way between two of them is not read.

    Raises Transient("log_unavailable"). It waits for a broker that has gone away; the caller sets the deadline.
    """
    wanted = deque(offsets)
    position = -1
    try:
        async with consuming(address, [place]) as consumer:
            while wanted:
                if position < wanted[0]:
                    consumer.seek(place, wanted[0])
                for record in (await consumer.getmany(place, timeout_ms=_POLL_MS)).get(place, ()):
                    position = record.offset + 1
                    if wanted and record.offset == wanted[0]:
                        wanted.popleft()
                        yield record
    except KafkaError as error:
        raise Transient("log_unavailable", detail=type(error).__name__) from error
