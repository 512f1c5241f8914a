"""The only module that produces: appends facts, sends ticks, work and updates, each confirmed within a deadline."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.events.document import MAX_BYTES, Progress, Record
from shared.events.standalone_job import JobProgress
from shared.kafka import topics
from shared.runtime import addresses, logs, tracing

log = logs.get(__name__)

Headers = Sequence[tuple[str, bytes]]

DEADLINE: Final = 15.0  # seconds; an idempotent send never gives up by itself
_AT_ONCE: Final = 1_000  # records that share one deadline
_FLUSH_SECONDS: Final = 5.0  # less than a supervisor waits between SIGTERM and SIGKILL


class Unconfirmed(RuntimeError):
    """The broker did not confirm in time: the record may or may not be in the log. Send the same event again."""


OUTAGES: Final = (KafkaError, Unconfirmed)  # what a broker raises that is away, elects or is overloaded


class Producer:
    """Where facts are appended. All in-sync replicas confirm before a call returns."""

    def __init__(self, producer: AIOKafkaProducer, deadline: float = DEADLINE) -> None:
        self._producer = producer
        self._deadline = deadline
        self._ticks: set[asyncio.Future[None]] = set()  # the loop itself keeps only weak references

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: str, deadline: float = DEADLINE) -> AsyncIterator[Self]:
        """An idempotent producer with `acks=all`, flushed (for 5 s at most) and stopped on leaving."""
        producer = AIOKafkaProducer(
            **addresses.options(address),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            compression_type="lz4",
            max_request_size=1024 * 1024,
        )
        try:
            await producer.start()
            yield cls(producer, deadline)
        finally:
            await _stop(producer)

    async def append(self, *facts: Record) -> None:
        """Append facts to the log in their order, with the trace they belong to.

        Raises ValueError for a fact that is too large, and appends none then. Raises Unconfirmed.
        """
        headers = tracing.headers(tracing.current())
        await self.append_all([(fact, headers) for fact in facts])

    async def append_all(self, facts: Sequence[tuple[Record, Headers]]) -> None:
        """Append facts in their order, each with its headers. Raises Unconfirmed: any of them may be in the log."""
        await self.send_all(topics.DOCUMENTS, [(fact.key, _encoded(fact), headers) for fact, headers in facts])

    def tick(self, progress: Progress | JobProgress) -> None:
        """Publish the progress of a slice or a job. It does not wait for the broker; a lost tick is no error."""
        sending = asyncio.ensure_future(self._send_tick(progress))
        self._ticks.add(sending)
        sending.add_done_callback(self._ticks.discard)

    async def _send_tick(self, progress: Progress | JobProgress) -> None:
        with suppress(KafkaError):
            key = (progress.job_id if isinstance(progress, JobProgress) else progress.document_id).encode()
            await (await self._producer.send(topics.PROGRESS, progress.encode(), key=key))

    async def send(
        self, topic: str, value: bytes, *, key: str | bytes | None = None, headers: Headers = ()
    ) -> tuple[int, int]:
        """Send one record and wait for its confirmation; its partition and offset. Raises Unconfirmed."""
        return (await self.send_all(topic, [(key, value, headers)]))[0]

    async def send_all(
        self, topic: str, records: Sequence[tuple[str | bytes | None, bytes, Headers]]
    ) -> list[tuple[int, int]]:
        """Send records in their order and wait until all are confirmed; their places. Raises Unconfirmed.

        The deadline holds for each thousand: a slow broker that takes them all the same is no broken one.
        """
        places: list[tuple[int, int]] = []
        for at in range(0, len(records), _AT_ONCE):
            try:
                async with asyncio.timeout(self._deadline):
                    confirmations = [
                        await self._producer.send(topic, value, key=_bytes(key), headers=list(headers))
                        for key, value, headers in records[at : at + _AT_ONCE]
                    ]
                    confirmed = await asyncio.gather(*confirmations)
            except (TimeoutError, KafkaError) as error:
                raise Unconfirmed(f"{topic}: {error!r}") from error
            places += [(record.partition, record.offset) for record in confirmed]
        return places


def _encoded(fact: Record) -> bytes:
    value = fact.encode()
    if len(value) > MAX_BYTES:
        raise ValueError(f"{fact.type} of {len(value)} bytes; a fact is at most {MAX_BYTES}")
    return value


def _bytes(key: str | bytes | None) -> bytes | None:
    return key.encode() if isinstance(key, str) else key


async def _stop(producer: AIOKafkaProducer) -> None:
    """Flush and close; a broker that is away is not waited for, so that the process can end and be started again."""
    try:
        async with asyncio.timeout(_FLUSH_SECONDS):
            await producer.stop()
    except TimeoutError:
        log.warning("stopped with records that the broker has not confirmed")
        await producer.client.close()
