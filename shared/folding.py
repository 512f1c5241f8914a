"""The one loop of every fold: read a batch, fold it in memory, write, publish, then store the checkpoint.

While there is a backlog, the next batch is read and folded as the one before is written: a replay then takes as long
as the slower of the two, not as both.

A fold whose rows nobody reads but itself may be patient: it writes once in a while what several batches have changed,
and a crash makes it read a little more again.

Positions live in MongoDB beside the data and are where a fold starts from: partitions are assigned, never subscribed,
and there is no consumer group. A fold whose checkpoint is gone ends its process; started again it begins anew. What a
fold cannot understand halts it: it stays up, says why, is not ready, and never skips.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from shared import logs, topics
from shared.consuming import FOLLOWING, consuming
from shared.events import Fact, NotAnEnvelope, Progress, UnknownFact, decode, decode_progress, is_of_job
from shared.failpoints import reach
from shared.fetching import Fetching
from shared.marks import mark_of, strangers
from shared.mongo import Mongo, Row
from shared.standalone import JobProgress, OfJob

log = logs.get(__name__)

Positions = Mapping[TopicPartition, int]
Records = Mapping[TopicPartition, Sequence[ConsumerRecord]]

BATCH: Final = 10_000  # records at most in one batch
_CHECK_SECONDS: Final = 1.0  # how often an idle fold looks whether its checkpoint is still there
POLL_MS: Final = 250  # how long an idle fold waits before it looks at the clock


class CheckpointGone(RuntimeError):
    """The checkpoint was dropped under the fold; only a fresh start can begin a new generation."""


class Halted(RuntimeError):
    """The fold met what it must not skip; the message says what it needs."""


class Entry(NamedTuple):
    """One fact about a document and where it stands in its partition of the log."""

    offset: int
    fact: Fact
    headers: Sequence[tuple[str, bytes]] = ()


class JobEntry(NamedTuple):
    """One record about a standalone job."""

    offset: int
    item: OfJob | JobProgress


@dataclass
class Batch:
    """What was read at once: facts in the order of each partition, signs of life, what is no envelope, and positions.

    What is about standalone jobs stands apart: most folds have nothing to do with it.
    """

    facts: list[Entry] = field(default_factory=list)
    ticks: list[Progress] = field(default_factory=list)
    jobs: list[JobEntry] = field(default_factory=list)
    unreadable: list[tuple[ConsumerRecord, str]] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    marks: dict[TopicPartition, str] = field(default_factory=dict)  # of the last record in each partition of facts
    halt: UnknownFact | None = None

    def __len__(self) -> int:
        return len(self.facts) + len(self.ticks) + len(self.jobs) + len(self.unreadable)


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


class Share(NamedTuple):
    """One of several equal parts of the log, by partition: a document is whole in one of them."""

    number: int = 0
    of: int = 1

    def has(self, place: TopicPartition) -> bool:
        """Whether the partition is in this share."""
        return bool(place.partition % self.of == self.number)

    def part(self, positions: Positions) -> dict[TopicPartition, int]:
        """Those positions that are in this share."""
        return {place: offset for place, offset in positions.items() if self.has(place)}


WHOLE: Final = Share()


class Checkpoint:
    """How far one fold has come; created once with its generation, then only updated.

    It reads and writes the positions of its share; the others are somebody else's.
    """

    def __init__(self, mongo: Mongo, fold: str, generation: str, share: Share = WHOLE) -> None:
        self._rows = mongo.checkpoints
        self._id = f"{fold}/{generation}"
        self._share = share

    async def create(self, partitions: Sequence[TopicPartition]) -> None:
        """Start at offset 0 of every partition."""
        await self._rows.insert_one({"_id": self._id, "offsets": _to_row(dict.fromkeys(partitions, 0))})

    async def exists(self) -> bool:
        """Whether the fold has begun."""
        return await self._rows.find_one({"_id": self._id}, {"_id": 1}) is not None

    async def remove(self) -> None:
        """Forget it, together with its generation."""
        await self._rows.delete_one({"_id": self._id})

    async def load(self) -> dict[TopicPartition, int]:
        """The next offset of each partition. Raises CheckpointGone."""
        return (await self.load_marked())[0]

    async def load_marked(self) -> tuple[dict[TopicPartition, int], dict[TopicPartition, str]]:
        """The same, and the mark of the record before each position, as far as they are known.

        Both from one look: an earlier owner may store once more while its successor begins. Raises CheckpointGone.
        """
        row = await self._rows.find_one({"_id": self._id})
        if row is None:
            raise CheckpointGone(self._id)
        return self._share.part(_from_row(row["offsets"])), _from_row(row.get("marks", {}))

    async def store(self, positions: Positions, marks: Mapping[TopicPartition, str] = MappingProxyType({})) -> None:
        """Everything before `positions` is written; `marks` tell the records before them. Raises CheckpointGone.

        A position never goes back: an earlier owner that was stopped and goes on may say late how far it was.
        """
        names = _to_row(marks)
        changed: Row = {}
        for name, offset in _to_row(positions).items():
            changed[f"offsets.{name}"] = {"$max": [f"$offsets.{name}", offset]}
            if name in names:
                is_ahead = {"$gte": [offset, f"$offsets.{name}"]}
                changed[f"marks.{name}"] = {"$cond": [is_ahead, {"$literal": names[name]}, f"$marks.{name}"]}
        done = await self._rows.update_one({"_id": self._id}, [{"$set": changed}])
        if not done.matched_count:
            raise CheckpointGone(self._id)


def partitions_of(names: Sequence[str], count: int) -> list[TopicPartition]:
    """Every partition of the named topics."""
    return [TopicPartition(name, number) for name in names for number in range(count)]


def positions_to_json(positions: Positions) -> bytes:
    """Positions for another process."""
    return orjson.dumps(_to_row(positions))


def positions_of_json(line: bytes) -> dict[TopicPartition, int]:
    """What `positions_to_json` wrote."""
    return _from_row(orjson.loads(line))


def _to_row(positions: Mapping[TopicPartition, Any]) -> Row:
    return {f"{place.topic}-{place.partition}": offset for place, offset in positions.items()}


def _from_row(row: Row) -> dict[TopicPartition, Any]:
    found = {}
    for name, offset in row.items():
        topic, _, partition = name.rpartition("-")
        found[TopicPartition(topic, int(partition))] = offset
    return found


class Loop:
    """Follows the log from a checkpoint until it is cancelled."""

    def __init__(self, address: str, checkpoint: Checkpoint, fold: Fold, *, patience: float = 0.0) -> None:
        """`patience`: seconds that a batch may wait until it is written, together with those that follow."""
        self._address = address
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
        self.halted: str | None = None
        self.lag = 0

    async def run(self, *, until: Positions | None = None) -> None:
        """Fold for ever, or until every partition has reached `until`, and not one record further.

        Raises CheckpointGone, FetchingStopped, and whatever the fold raises: the process ends and is started again.
        """
        try:
            async with consuming(self._address, **FOLLOWING) as consumer:
                await self._start(consumer)
                await self._follow(consumer, until)
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
        fetching = Fetching(consumer)
        hurry = False  # more is due than one turn decides
        while True:
            self._measure(consumer)
            if until is not None and all(self.positions[place] >= offset for place, offset in until.items()):
                await self._write_all()
                return
            await self._write_if_due()
            if self.lag < BATCH:
                await self._written()
                if self.caught_up and until is None:
                    hurry = await self._fold.decide()
            try:
                records = await consumer.getmany(timeout_ms=0 if hurry else POLL_MS, max_records=BATCH)
            except OffsetOutOfRangeError as error:
                raise Halted(f"the log was cut: {error}") from error
            await fetching.look(idle=not records)
            if records:
                await self._take(read(_before(records, until)))
                continue
            if time.monotonic() - checked > _CHECK_SECONDS:
                await self._checkpoint.load()
                checked = time.monotonic()

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
        self.caught_up = self.caught_up or all(self.positions[p] >= end for p, end in self._ends.items())


def _before(records: Records, until: Positions | None) -> Records:
    """What a fold that is to end at `until` may take: at a barrier two folds are compared, record by record."""
    if until is None:
        return records
    return {place: [record for record in found if record.offset < until[place]] for place, found in records.items()}


def read(records: Records) -> Batch:
    """Decode what was fetched. A partition stops before the first fact this code does not know."""
    batch = Batch()
    for place, found in records.items():
        sort = _sort_tick if place.topic == topics.PROGRESS else _sort_fact
        for record in found:
            try:
                sort(batch, record)
            except NotAnEnvelope as error:
                batch.unreadable.append((record, str(error)))
            except UnknownFact as error:
                batch.halt = error
                break
            batch.positions[place] = record.offset + 1
            last = record
        if place in batch.positions and place.topic != topics.PROGRESS:  # ticks go with their day
            batch.marks[place] = mark_of(last)
    return batch


def _sort_fact(batch: Batch, record: ConsumerRecord) -> None:
    fact = decode(record.value)
    if is_of_job(fact):
        batch.jobs.append(JobEntry(record.offset, fact))
    else:
        batch.facts.append(Entry(record.offset, fact, record.headers))


def _sort_tick(batch: Batch, record: ConsumerRecord) -> None:
    tick = decode_progress(record.value)
    if isinstance(tick, JobProgress):
        batch.jobs.append(JobEntry(record.offset, tick))
    else:
        batch.ticks.append(tick)
