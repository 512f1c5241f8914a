"""A batch of the log: records read together, decoded and sorted by what they are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from shared.events.document import (
    Fact,
    NotAnEnvelope,
    Progress,
    UnknownFact,
    decode,
    decode_progress,
    is_of_job,
)
from shared.events.standalone_job import JobProgress, OfJob
from shared.kafka import topics
from shared.projecting.log_identity import mark_of

Records = Mapping[TopicPartition, Sequence[ConsumerRecord]]


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
