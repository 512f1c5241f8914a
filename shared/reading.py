"""Reads a partition from its beginning to its end, once: for whoever asks the log a question and then leaves."""

from collections.abc import AsyncGenerator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from shared import addresses


def place_of(topic: str, key: str, partitions: int) -> TopicPartition:
    """The partition that holds everything under `key`."""
    numbers = list(range(partitions))
    return TopicPartition(topic, DefaultPartitioner()(key.encode(), numbers, numbers))


async def to_the_end(address: str, place: TopicPartition) -> AsyncGenerator[ConsumerRecord, None]:
    """Every record that is kept in the partition now, oldest first."""
    consumer = AIOKafkaConsumer(**addresses.options(address), enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        # Not seek_to_beginning: the reset that a new assignment asks for may be answered after it, with the end.
        consumer.seek(place, (await consumer.beginning_offsets([place]))[place])
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=500)).get(place, ()):
                yield record
    finally:
        await consumer.stop()
