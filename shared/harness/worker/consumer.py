"""The worker's consumer: FastStream hands over one record at a time, manually acknowledged after the claim."""

import asyncio
from contextlib import suppress
from typing import Final

from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from faststream.kafka.subscriber.usecase import DefaultSubscriber
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import ValidationError

from shared.harness.settings import StageSettings
from shared.harness.work_item import WorkItem
from shared.harness.worker.acknowledged import group_of
from shared.harness.worker.worker import Worker
from shared.kafka import topics
from shared.kafka.consumer import ended
from shared.kafka.dead_letters import park
from shared.kafka.fetch_watchdog import FetchWatchdog
from shared.runtime import addresses, tracing
from shared.runtime.failpoints import reach
from shared.storage.leases import Owner, Workers, answered
from shared.storage.mongo import OUTAGES

_SASL: Final = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
_ANNOUNCE_SECONDS: Final = 5.0
_MAX_POLL_MS: Final = 24 * 3_600_000  # waiting for a free child is no sign of death; heartbeats are


class Consumer:
    """Feeds one worker from the stage's topic."""

    def __init__(self, worker: Worker, settings: StageSettings, owner: Owner, workers: Workers) -> None:
        self._worker = worker
        self._settings = settings
        self._owner = owner
        self._workers = workers
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking = False  # a record is in hand: it may wait for a free child for hours
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Consume until cancelled, or raise what must end the process."""
        broker, subscriber = self.subscribed()
        await answered(self._worker.leases.expire_earlier_lives)
        try:
            await broker.start()
            assert subscriber.consumer
            fetching = FetchWatchdog(subscriber.consumer)
            while True:
                if not self._taking:
                    await fetching.look()
                with suppress(*OUTAGES):  # the next write follows in a moment; until then this worker is not counted
                    await self._announce()
                done, _ = await asyncio.wait([self._broken], timeout=_ANNOUNCE_SECONDS)
                for ended in done:
                    ended.result()
        finally:
            await self._stop(broker)

    async def _announce(self) -> None:
        worker, slots = self._worker, self._settings.children
        await self._workers.announce(self._owner, worker.stage, slots, worker.pool.kept_network)

    def subscribed(self) -> tuple[KafkaBroker, DefaultSubscriber]:
        """The broker and its one subscriber: one consumer a process, manual acknowledgement, from the earliest."""
        settings = self._settings
        where = addresses.parse(settings.kafka)
        broker = KafkaBroker(
            where.servers,
            security=security_of(where),
            graceful_timeout=1.0,
            allow_auto_create_topics=False,
            logger=None,
        )
        subscriber = broker.subscriber(
            topics.slices(self._worker.stage),
            group_id=group_of(self._worker.stage),
            group_instance_id=self._owner.slot,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            max_poll_interval_ms=_MAX_POLL_MS,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.session_timeout_ms // 3,
            decoder=_as_received,
        )
        subscriber(self.on_record)
        return broker, subscriber

    async def on_record(self, body: bytes, message: KafkaMessage) -> None:
        """Claim, acknowledge, hand over.

        A database that does not answer is waited for, a record that is no work item is parked. Anything else that goes
        wrong before the acknowledgement ends the process: the lease is given back, and the record comes again. What
        goes wrong afterwards costs the work item alone, but for a broker that does not take its fact.
        """
        self._taking = True
        try:
            try:
                item = WorkItem.model_validate_json(body)
            except ValidationError as error:
                await park(self._worker.producer, _record(message), str(error).splitlines()[0])
                await message.ack()
                return
            tracing.begin(message.headers.get(tracing.HEADER))
            claimed = await self._worker.claim(item)
            reach(f"{item.stage}.claimed")
            try:
                await message.ack()
            except BaseException:
                if claimed:
                    await self._worker.leave(*claimed)
                raise
            reach(f"{item.stage}.acknowledged")
            if claimed:
                self._start(asyncio.ensure_future(self._worker.work(item, *claimed)))
        except Exception as error:
            self._break(error)
        finally:
            self._taking = False

    def _start(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._break(error)

    def _break(self, error: BaseException) -> None:
        if not self._broken.done():
            self._broken.set_exception(error)

    async def _stop(self, broker: KafkaBroker) -> None:
        await ended(broker.stop())
        for task in self._tasks:
            task.cancel()  # gives its lease back
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._worker.pool.close()
        with suppress(*OUTAGES):  # its row expires
            await self._workers.leave(self._owner)


def security_of(where: addresses.Broker) -> BaseSecurity:
    """The values of `addresses.options` under FastStream's names."""
    context = addresses.tls(where)
    if not where.has_sasl:
        return BaseSecurity(ssl_context=context)
    return _SASL[where.mechanism](where.user, where.password, ssl_context=context)


def _record(message: KafkaMessage) -> ConsumerRecord:
    raw = message.raw_message
    assert not isinstance(raw, tuple)  # that would be a batch subscriber's
    return raw


async def _as_received(message: KafkaMessage) -> bytes:
    return bytes(message.body)
