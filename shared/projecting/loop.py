"""The one loop of every fold: read a batch, fold it in memory, write, publish, then store the checkpoint.

While there is a backlog, the next batch is read and folded as the one before is written: a replay then takes as long
as the slower of the two, not as both.

A fold that alone reads its rows may be patient: it writes the changes of several batches at once from time to time,
and a crash makes it read a little more again.

Positions live in MongoDB beside the data and are where a fold starts from: partitions are assigned, never subscribed,
and there is no consumer group. A fold whose checkpoint is gone ends its process; started again it begins anew. What a
fold cannot understand halts it: it stays up, publishes the reason, is not ready, and never skips.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from shared.kafka import topics
from shared.kafka.consumer import FOLLOWING, consuming, follow_live
from shared.kafka.fetch_watchdog import FetchWatchdog
from shared.projecting.batch import Batch, Records, read
from shared.projecting.checkpoint import Checkpoint, Positions
from shared.projecting.log_identity import strangers
from shared.runtime import allocator, logs
from shared.runtime.failpoints import reach

log = logs.get(__name__)


BATCH: Final = 4_000  # records at most in one batch: with 10,000 a fold keeps 15 to 40 MB more and is no faster
_BURST_SECONDS: Final = 5.0  # after the fold has caught up; what was read last is written by then
_CHECK_SECONDS: Final = 1.0  # how often an idle fold looks whether its checkpoint is still there
POLL_MS: Final = 250  # how long an idle fold waits before it looks at the clock


class Halted(RuntimeError):
    """The fold met a record that it must not skip; the message names what it needs."""


Write = Callable[[], Awaitable[None]]


class Fold(Protocol):
    """What a fold brings to the loop."""

    async def apply(self, batch: Batch) -> Write:
        """Fold the batch in memory; the result writes what changed and publishes it.

        Writes happen one after another in the order of the batches, and none is under way when `decide` is called.
        After a crash the same batch may come again.
        """

    async def decide(self) -> bool:
        """Do what is due; called after each batch and at least every POLL_MS once the fold has caught up.

        It does a bounded part of it; True where more is due at once.
        """


class Loop:
    """Follows the log from a checkpoint until it is cancelled."""

    def __init__(
        self,
        address: str,
        checkpoint: Checkpoint,
        fold: Fold,
        *,
        patience: float = 0.0,
        due: asyncio.Event | None = None,
    ) -> None:
        """`patience`: seconds that a batch may wait until it is written, together with those that follow.

        The fold sets `due` when it has something to decide before the next record or the next look at the clock.
        """
        self._address = address
        self._due = due
        self._polling: asyncio.Task[Records] | None = None
        self._checkpoint = checkpoint
        self._fold = fold
        self._patience = patience
        self._ends: dict[TopicPartition, int] = {}
        self._waiting: list[Write] = []  # in the order of their batches
        self._waiting_since = 0.0
        self._writing: asyncio.Task[None] | None = None
        self._marks: dict[TopicPartition, str] = {}
        self.positions: dict[TopicPartition, int] = {}
        self.caught_up = False
        self._rests_at = math.inf
        self.halted: str | None = None
        self.lag = 0

    async def run(self, *, until: Positions | None = None) -> None:
        """Fold until cancelled, or until every partition has reached `until`, and not one record further.

        Raises CheckpointGone, FetchingStopped, and whatever the fold raises: the process ends and is started again.
        """
        try:
            async with consuming(self._address, **FOLLOWING) as consumer:
                await self._start(consumer)
                try:
                    await self._follow(consumer, until)
                finally:
                    await self._end_poll()
        except Halted as halt:
            self.halted = str(halt)
            log.error("fold halted", reason=self.halted)
            if until is not None:
                raise
            await asyncio.Event().wait()
        finally:
            if self._writing:
                self._writing.cancel()

    async def _start(self, consumer: AIOKafkaConsumer) -> None:
        self.positions, marks = await self._checkpoint.load_marked()
        places = list(self.positions)
        consumer.assign(places)
        self._ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        for place in places:
            if place.topic == topics.PROGRESS:  # ticks are kept a day: what is gone is of no use
                self.positions[place] = max(self.positions[place], starts[place])
            position = self.positions[place]
            if not starts[place] <= position <= self._ends[place]:
                raise Halted(
                    f"the log was cut: {place.topic}-{place.partition} holds {starts[place]} to {self._ends[place]}, "
                    f"this fold continues at {position}; restore the log, or `pagestream rebuild` from what is left"
                )
        for place in await strangers(consumer, self.positions, marks):
            raise Halted(
                f"the log is another one: the record before {self.positions[place]} of {place.topic}-{place.partition} "
                "is not the one that was folded; restore the log, or `pagestream rebuild` from what there is"
            )
        for place in places:
            consumer.seek(place, self.positions[place])

    async def _follow(self, consumer: AIOKafkaConsumer, until: Positions | None) -> None:
        checked = time.monotonic()
        fetching = FetchWatchdog(consumer)
        while True:
            self._measure(consumer)
            if until is not None and all(self.positions[place] >= offset for place, offset in until.items()):
                await self._write_all()
                return
            await self._write_if_due()
            hurry = False  # whether more is due than one turn decides
            if self.lag < BATCH:
                await self._written()
                if self.caught_up and until is None:
                    hurry = await self._fold.decide()
            try:
                records = await self._poll(consumer, hurry=hurry)
            except OffsetOutOfRangeError as error:
                raise Halted(f"the log was cut: {error}") from error
            await fetching.look(idle=not records)
            if not records and time.monotonic() > self._rests_at:
                self._rests_at = math.inf
                allocator.give_back()  # a replay takes more than what follows
            if records:
                await self._take(read(_before(records, until)))
                continue
            if time.monotonic() - checked > _CHECK_SECONDS:
                await self._checkpoint.load()
                checked = time.monotonic()

    async def _poll(self, consumer: AIOKafkaConsumer, *, hurry: bool) -> Records:
        """The next records; none where there are none in time, or where something is due before they come."""
        if self._due is None or (hurry and self._polling is None):
            found: Records = await consumer.getmany(timeout_ms=0 if hurry else POLL_MS, max_records=BATCH)
            return found
        if self._polling is None:
            self._polling = asyncio.create_task(consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH))
        waking = asyncio.create_task(self._due.wait())
        try:
            wanted = [self._polling, waking]
            await asyncio.wait(wanted, timeout=0 if hurry else None, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
        self._due.clear()
        if not self._polling.done():
            return {}
        polled, self._polling = self._polling, None
        return await polled

    async def _end_poll(self) -> None:
        """End a poll that is under way: its records are read again from the checkpoint."""
        if self._polling:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
            self._polling = None

    async def _take(self, batch: Batch) -> None:
        self._waiting_since = self._waiting_since if self._waiting else time.monotonic()
        self._waiting.append(await self._fold.apply(batch))
        self.positions = {**self.positions, **batch.positions}
        self._marks |= batch.marks
        reach("fold.folded")
        await self._write_if_due()
        if batch.halt:
            await self._write_all()
            raise Halted(str(batch.halt))

    async def _write_if_due(self) -> None:
        """Begin to write what has waited long enough, as soon as nothing else is being written."""
        if self._waiting and time.monotonic() - self._waiting_since >= self._patience:
            await self._written()
            writes, self._waiting = self._waiting, []
            self._writing = asyncio.create_task(self._write(writes, self.positions, dict(self._marks)))

    async def _write(self, writes: Sequence[Write], positions: Positions, marks: Mapping[TopicPartition, str]) -> None:
        for write in writes:
            await write()
        await self._checkpoint.store(positions, marks)
        reach("fold.stored")

    async def _written(self) -> None:
        """Wait for what is being written."""
        if self._writing:
            await self._writing
            self._writing = None

    async def _write_all(self) -> None:
        """Write everything that was folded."""
        await self._written()
        if self._waiting:
            await self._write(self._waiting, self.positions, self._marks)
            self._waiting = []

    def _measure(self, consumer: AIOKafkaConsumer) -> None:
        marks = {place: consumer.highwater(place) or self._ends[place] for place in self.positions}
        self.lag = sum(max(0, mark - self.positions[place]) for place, mark in marks.items())
        if not self.caught_up and all(self.positions[p] >= end for p, end in self._ends.items()):
            self.caught_up = True
            follow_live(consumer)
            self._rests_at = time.monotonic() + _BURST_SECONDS


def _before(records: Records, until: Positions | None) -> Records:
    """What a fold that is to end at `until` may take: at a barrier two folds are compared, record by record."""
    if until is None:
        return records
    return {place: [record for record in found if record.offset < until[place]] for place, found in records.items()}
