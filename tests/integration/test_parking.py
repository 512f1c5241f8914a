"""Records that nobody can read, on a real broker: also those that are larger than a producer takes."""

import uuid

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from shared.errors import Rejected
from shared.kafka import dead_letters, topics
from shared.kafka.consumer import consuming
from shared.kafka.producer import Producer
from shared.runtime.settings import SharedSettings

LARGE = 3_000_000  # bytes, which lz4 makes 12 KB of: a broker takes them


@pytest.mark.parametrize("size", [10, LARGE])
async def test_a_record_is_parked_whatever_its_size(settings: SharedSettings, producer: Producer, size: int) -> None:
    await topics.provision(settings.kafka, partitions=settings.partitions)
    unlimited = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, compression_type="lz4", max_request_size=2 * LARGE + 1_000_000
    )
    await unlimited.start()
    key, headers = str(uuid.uuid4()).encode(), [("traceparent", b"00-1"), ("h", b"x" * 100_000 if size > 10 else b"x")]
    sent = await unlimited.send_and_wait(topics.DOCUMENTS, b"\0" * size, key=key, headers=headers)
    await unlimited.stop()
    place = TopicPartition(topics.DOCUMENTS, sent.partition)
    async with consuming(settings.kafka) as consumer:
        consumer.assign([place])
        consumer.seek(place, sent.offset)
        record = await consumer.getone()
    await dead_letters.park(producer, record, "no envelope")

    kept = [one async for one in dead_letters.found(settings.kafka) if one.key == key]
    assert [(one.length, one.reason, one.is_cut) for one in kept] == [(size, "no envelope", size == LARGE)]
    assert len(kept[0].value) <= 512 * 1024
    if size == LARGE:
        with pytest.raises(Rejected) as refused:
            await dead_letters.replay(producer, kept[0])
        assert refused.value.code == "parked_cut"
    else:
        assert kept[0].headers == tuple(headers)
        await dead_letters.replay(producer, kept[0])
