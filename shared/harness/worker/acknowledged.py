"""How far a stage's workers have taken their topic: what they acknowledged, by partition."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.kafka import topics
from shared.runtime import addresses, logs

log = logs.get(__name__)

_SECONDS: Final = 2.0  # for an answer; who asks decides without it otherwise


def group_of(stage: str) -> str:
    """The consumer group of a stage's workers."""
    return f"workers.{stage}"


class Acknowledged:
    """Asks the broker over one connection, which is made when it is first needed."""

    def __init__(self, address: str, stage: str) -> None:
        self._address = address
        self._stage = stage
        self._client: AIOKafkaAdminClient | None = None

    async def offsets(self) -> Mapping[int, int] | None:
        """The next offset of each partition that the group has begun; None where the broker does not say."""
        try:
            async with asyncio.timeout(_SECONDS):
                client = await self._connected()
                found = await client.list_consumer_group_offsets(group_of(self._stage))
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("the broker does not say what workers took", stage=self._stage, reason=repr(error))
            await self.close()
            return None
        topic = topics.slices(self._stage)
        return {place.partition: known.offset for place, known in found.items() if place.topic == topic}

    async def close(self) -> None:
        """End the connection; the next question makes another."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self) -> AIOKafkaAdminClient:
        if self._client is None:
            client = AIOKafkaAdminClient(**addresses.options(self._address))
            self._client = client
            await client.start()
        return self._client
