"""The topic `updates`, read from its end: what the fold changed, for those who watch.

Every gateway reads all partitions, without a consumer group: each has its own watchers. It is ready once its positions
are fixed; from then on nothing is missed, and a snapshot that is read afterwards has everything before it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from shared.kafka import topics
from shared.kafka.consumer import FOLLOWING, consuming, follow_live
from shared.kafka.fetch_watchdog import FetchWatchdog
from shared.runtime import logs

log = logs.get(__name__)

_POLL_MS: Final = 1_000
_MAX_RECORDS: Final = 2_000  # records at once
_BACKLOG: Final = 256  # more records than this at once mean that we are behind
_BEHIND_MS: Final = 250  # and so do records that were written this far apart and came at once
EPOCH_KEY: Final = "epoch"
# How the projector begins the value of each; to decode all of a backlog would make it longer.
_STATED: Final = re.compile(rb'\{"(?:document|job)_id":"[^"]*","epoch":"([^"]*)","version":(\d+)')


class Update(NamedTuple):
    """One record. `key` is a document's id, or EPOCH_KEY when another generation went live."""

    key: str
    tenant: str
    value: bytes
    has_ended: bool = False  # or is deleted


class UpdatesConsumer:
    """Reads for ever; `on_updates` is given what was read, `on_gap` is called when records may have been missed."""

    def __init__(
        self,
        address: str,
        partitions: int,
        *,
        on_updates: Callable[[Sequence[Update]], Awaitable[None]],
        on_gap: Callable[[], Awaitable[None]],
    ) -> None:
        self._address = address
        self._places = [TopicPartition(topics.UPDATES, number) for number in range(partitions)]
        self._on_updates = on_updates
        self._on_gap = on_gap
        self._asking: AIOKafkaConsumer | None = None  # on the other line an answer waits for the next record
        self.ready = asyncio.Event()

    async def ping(self) -> None:
        """Return once the broker answers. Raises OSError when it does not."""
        if self._asking is None:
            raise OSError("the broker has not been reached yet")
        try:
            await self._asking.end_offsets(self._places[:1])
        except KafkaError as error:
            raise OSError(f"the broker does not answer: {type(error).__name__}") from error

    async def kept(self, topic: str) -> int | None:
        """How many records a topic of one partition holds; None while the broker does not answer."""
        place = TopicPartition(topic, 0)
        if self._asking is None:
            return None
        try:
            ends = await self._asking.end_offsets([place])
            return int(ends[place] - (await self._asking.beginning_offsets([place]))[place])
        except KafkaError:
            return None

    async def run(self) -> None:
        """Raises FetchingStopped, and what the callbacks raise: the process ends and is started again."""
        async with (
            consuming(self._address) as asking,
            consuming(self._address, self._places, **FOLLOWING) as consumer,
        ):
            await self._go_to_end(consumer)
            follow_live(consumer)
            self._asking = asking
            self.ready.set()
            await self._follow(consumer)

    async def _go_to_end(self, consumer: AIOKafkaConsumer) -> None:
        for place, end in (await consumer.end_offsets(self._places)).items():
            consumer.seek(place, end)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        fetching = FetchWatchdog(consumer)
        while True:
            try:
                fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
            except OffsetOutOfRangeError:
                log.warning("updates were lost to retention; every watcher gets a new snapshot")
                await self._go_to_end(consumer)
                await self._on_gap()
                continue
            records = [record for found in fetched.values() for record in found]
            await fetching.look(idle=not records)
            if records:
                await self._on_updates(newest(records) if is_behind(records) else [_update(r) for r in records])


def is_behind(records: Sequence[ConsumerRecord]) -> bool:
    """Whether so much was read at once that fan-out must be slower than the changes: then only the newest counts.

    Showing every state would keep all watchers late for as long as the load lasts; a state that is merged away loses
    nothing, since each is whole. By the records' own clock, which need not be ours.
    """
    written = [record.timestamp for record in records]
    return len(records) > _BACKLOG or max(written) - min(written) > _BEHIND_MS


def newest(records: Sequence[ConsumerRecord]) -> list[Update]:
    """The newest record of each document and epoch, in their order; records about epochs all stay.

    The last one need not be the newest: a projector that lost its place may have had an older one on its way.
    """
    found: dict[Hashable, tuple[int, Update]] = {}
    for number, record in enumerate(records):
        update = _update(record)
        stated = _STATED.match(update.value)
        epoch, version = (stated[1], int(stated[2])) if stated else (b"", number)
        place = number if update.key == EPOCH_KEY else (update.tenant, update.key, epoch)
        if place not in found or found[place][0] <= version:
            found.pop(place, None)
            found[place] = version, update
    return [update for _, update in found.values()]


def _update(record: ConsumerRecord) -> Update:
    headers = dict(record.headers)
    tenant = headers.get(topics.TENANT_HEADER, b"").decode()
    return Update((record.key or b"").decode(), tenant, record.value or b"", topics.ENDED_HEADER in headers)
