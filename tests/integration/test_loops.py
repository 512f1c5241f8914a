"""A client of a real broker on the services' own event loop, whose connection goes while something is to be sent."""

import asyncio
from typing import Any

import uvloop
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.kafka import topics
from shared.kafka.consumer import consuming
from shared.runtime import event_loop
from shared.runtime.settings import SharedSettings

PLACE = TopicPartition(topics.DOCUMENTS, 0)


def test_a_connection_that_has_just_gone_is_told_as_broken_and_made_anew(settings: SharedSettings) -> None:
    async def lose_it() -> None:
        async with consuming(settings.kafka, [PLACE]) as consumer, asyncio.timeout(30):
            await consumer.end_offsets([PLACE])
            (connection, *_) = consumer._client._conns.values()
            error = await send_too_late(connection)
            assert isinstance(error, KafkaConnectionError), repr(error)  # nothing in aiokafka survives another
            assert "broken" in str(error)
            await consumer._client.force_metadata_update()
            await consumer.end_offsets([PLACE])

    with asyncio.Runner(loop_factory=event_loop.new_event_loop) as runner:
        assert isinstance(runner.get_loop(), uvloop.Loop)
        runner.run(lose_it())


async def send_too_late(connection: Any) -> BaseException | None:
    """What sending raises between the end of the connection and the moment when its own reader hears of it."""
    loop = asyncio.get_running_loop()
    raised: asyncio.Future[BaseException | None] = loop.create_future()
    plain = connection._protocol.connection_lost

    def send() -> None:
        try:
            connection.send(MetadataRequest([]))
        except RuntimeError as error:
            raised.set_result(error)
        else:
            raised.set_result(None)

    def lost(error: BaseException | None) -> None:
        loop.call_soon(send)
        plain(error)

    connection._protocol.connection_lost = lost
    connection._writer.transport.abort()
    return await raised
