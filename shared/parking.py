"""Parking: bytes that nobody can read are kept with the reason, and their partition moves on."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition

from shared import logs, reading, topics
from shared.kafka import Log

log = logs.get(__name__)

_ID, _REASON, _FROM = "parked-id", "parked-reason", "parked-from"
_OURS: Final = frozenset({_ID, _REASON, _FROM})


@dataclass(frozen=True)
class Parked:
    """A parked record: what it is called (topic-partition-offset, where it was found), why, and what it was."""

    id: str
    reason: str
    topic: str
    parked_at: datetime
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


async def park(sink: Log, record: ConsumerRecord, reason: str) -> None:
    """Put the record on the topic `parked` as it was received. Its id is its place, so parking twice shows."""
    place = f"{record.topic}-{record.partition}-{record.offset}"
    log.warning("parked", place=place, reason=reason)
    told = [(_ID, place.encode()), (_REASON, reason[:500].encode()), (_FROM, record.topic.encode())]
    await sink.send(topics.PARKED, record.value or b"", key=record.key, headers=[*record.headers, *told])


async def replay(sink: Log, parked: Parked) -> None:
    """Put a parked record back where it came from, as it was, for a release that can read it."""
    await sink.send(parked.topic, parked.value, key=parked.key, headers=parked.headers)


async def found(address: str) -> AsyncIterator[Parked]:
    """All parked records that are still kept, oldest first, each id once."""
    seen: set[str] = set()
    async for record in reading.to_the_end(address, TopicPartition(topics.PARKED, 0)):
        parked = _parked(record)
        if parked.id not in seen:
            seen.add(parked.id)
            yield parked


def _parked(record: ConsumerRecord) -> Parked:
    told = {name: value.decode() for name, value in record.headers if name in _OURS}
    return Parked(
        id=told[_ID],
        reason=told[_REASON],
        topic=told[_FROM],
        parked_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=record.value or b"",
        headers=tuple((name, value) for name, value in record.headers if name not in _OURS),
    )
