"""A broker that asks who comes: every kind of client that we have signs in with PAGESTREAM_KAFKA, or is turned away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from shared.kafka import partition_reader, topics
from shared.kafka.producer import Producer
from shared.runtime.settings import SharedSettings
from stack import kafka as broker
from tests.support.guarded_broker import guarded

USER, PASSWORD = "pagestream", "not @ guess:able"
JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_pagestream="not @ guess:able";'


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[str]:
    """A broker whose second listener takes SASL/PLAIN only; the address of that listener."""
    asks = ("sasl.enabled.mechanisms=PLAIN", f"listener.name.guarded0.plain.sasl.jaas.config={JAAS}")
    async with guarded(tmp_path, ["SASL_PLAINTEXT"], asks) as (listener,):
        yield listener


async def test_who_knows_the_password_works_as_everywhere_and_who_does_not_is_turned_away(servers: str) -> None:
    address = f"sasl_plaintext://{USER}:not%20%40%20guess%3Aable@{servers}?mechanism=PLAIN"
    settings = SharedSettings(kafka=address, partitions=1)
    async with asyncio.timeout(60):
        await broker.until_answering(address)
        await topics.provision(settings.kafka, partitions=1)
        async with Producer.connect(settings.kafka) as producer:
            await producer.send(topics.DOCUMENTS, b"kept", key="a")
        place = partition_reader.place_of(topics.DOCUMENTS, "a", 1)
        assert [record.value async for record in partition_reader.to_the_end(settings.kafka, place)] == [b"kept"]
    for stranger in (servers, f"sasl_plaintext://{USER}:guess@{servers}?mechanism=PLAIN"):
        with pytest.raises((KafkaError, TimeoutError)):
            async with asyncio.timeout(10):
                await topics.verify(stranger, [])
