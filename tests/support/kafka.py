"""The broker as a test sees it from outside of our own code."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.events.document import Fact, decode
from shared.kafka import topics


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for topics and their settings."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create(bootstrap: str, name: str, partitions: int = 1) -> None:
    """A topic that keeps for ever."""
    async with admin(bootstrap) as client:
        await client.create_topics([NewTopic(name, partitions, 1, topic_configs={"retention.ms": "-1"})])


async def records(bootstrap: str, topic: str) -> Sequence[ConsumerRecord]:
    """Everything in a topic as of now, in the order of each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        places = [TopicPartition(topic, number) for number in await _partitions(bootstrap, topic)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        left = {place for place in places if starts[place] < ends[place]}
        while left:
            for place, batch in (await consumer.getmany(timeout_ms=250)).items():
                found += [record for record in batch if record.offset < ends[place]]
                if batch[-1].offset + 1 >= ends[place]:
                    left.discard(place)
    finally:
        await consumer.stop()
    return found


async def facts_of(bootstrap: str, document_id: str) -> list[Fact]:
    """What the log says of a document."""
    found = await records(bootstrap, topics.DOCUMENTS)
    return cast("list[Fact]", [decode(record.value) for record in found if record.key == document_id.encode()])


async def _partitions(bootstrap: str, topic: str) -> list[int]:
    async with admin(bootstrap) as client:
        (described,) = await client.describe_topics([topic])
        return sorted(partition["partition"] for partition in described["partitions"])
