"""How a consumer ends: a real one, whose fetches have just begun to fail."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NodeNotReadyError

from shared.kafka import topics
from shared.kafka.consumer import consuming
from tests.support.infrastructure import Infrastructure


class Failed(Exception):
    """What ends the service."""


async def test_what_ended_the_body_is_raised_while_a_fetch_waits_to_be_repeated(
    broker: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task group goes on without a task that ends with CancelledError, as if somebody had wanted that."""
    failed = asyncio.Event()

    async def failing(*_: object, **__: object) -> None:
        asyncio.get_running_loop().call_soon(failed.set)  # once the fetch sleeps
        raise NodeNotReadyError

    async def consume() -> None:
        place = TopicPartition(topics.DOCUMENTS, 0)
        async with consuming(broker.kafka, [place]) as consumer:
            monkeypatch.setattr(consumer._client, "send", failing)
            consumer.seek(place, 0)
            await failed.wait()
            raise Failed

    before = asyncio.all_tasks()
    with pytest.raises(Failed):
        await asyncio.wait_for(asyncio.create_task(consume()), 10)
    assert asyncio.all_tasks() == before, "a client is left running"
