"""A consumer without a group, from start to end; and how the end of a client is waited for."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.runtime import addresses

# For those who follow the log live: a fetch is answered as soon as there is a record, and one in vain costs as much as
# a record does.
FOLLOWING: Final[Mapping[str, Any]] = {"fetch_max_wait_ms": 1000, "max_partition_fetch_bytes": 1024 * 1024}
_TAKEN_SECONDS: Final = 1.0


@asynccontextmanager
async def consuming(
    address: str, places: Sequence[TopicPartition] = (), **options: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that is assigned `places`; it commits nothing and starts nowhere by itself. Stopped on leaving."""
    consumer = AIOKafkaConsumer(
        **addresses.options(address), enable_auto_commit=False, auto_offset_reset="none", **options
    )
    try:
        await consumer.start()
        if places:
            consumer.assign(places)
        yield consumer
    finally:
        await ended(consumer.stop())
        await consumer._client.close()  # a `stop` that was broken off leaves it open; a second time does nothing


def follow_live(consumer: AIOKafkaConsumer) -> None:
    """Let the client wait for what it has read to be taken, before it asks for the other partitions alone.

    The busy partition would wait for that answer: with 0.1 s, the default, p50 was 575 ms on a crowded machine. Where
    there is a backlog, the next fetch should rather be under way meanwhile.
    """
    consumer._fetcher._prefetch_backoff = _TAKEN_SECONDS  # there is no option for it


async def ended(stopping: Coroutine[Any, Any, None]) -> None:
    """Wait until a client has stopped.

    aiokafka cancels its fetches and awaits them: one that waits to be repeated, as when the broker has just gone,
    answers with CancelledError. Passed on, it would take the place of the error that ends the service, and a task
    group goes on without a task that it believes to have been cancelled.
    """
    task = asyncio.ensure_future(stopping)
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
