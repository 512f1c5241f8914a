"""Dead letters: records that cannot be read are kept with the reason, and their partition moves on."""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition

from shared.errors import Rejected
from shared.kafka import partition_reader, topics
from shared.kafka.producer import Producer
from shared.runtime import logs

log = logs.get(__name__)

_ID, _REASON, _FROM = "parked-id", "parked-reason", "parked-from"
_LENGTH: Final = "parked-length"  # of the whole value in bytes, where the record holds its beginning only
_OURS: Final = frozenset({_ID, _REASON, _FROM, _LENGTH})
_MAX_VALUE: Final = 512 * 1024  # bytes; the producer takes 1 MiB, a broker takes more where it is compressed
_MAX_OTHER: Final = 16 * 1024  # bytes of the key, and of all headers together


@dataclass(frozen=True)
class DeadLetter:
    """A parked record: its id (topic-partition-offset of the original), the reason, and its content."""

    id: str
    reason: str
    topic: str
    parked_at: datetime
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    length: int  # bytes of the value as it was received; more than `value` has where that was cut

    @property
    def is_cut(self) -> bool:
        """Whether only the beginning of the value was kept."""
        return self.length > len(self.value)


async def park(producer: Producer, record: ConsumerRecord, reason: str) -> None:
    """Put the record on the topic `parked` as it was received, or the beginning of one that is too large for it.

    Its id is its place, so parking twice shows.
    """
    place = f"{record.topic}-{record.partition}-{record.offset}"
    log.warning("parked", place=place, reason=reason)
    value, key = record.value or b"", record.key
    about = [(_ID, place.encode()), (_REASON, reason[:500].encode()), (_FROM, record.topic.encode())]
    if len(value) > _MAX_VALUE:
        about.append((_LENGTH, str(len(value)).encode()))
    headers = [*_few(record.headers), *about]
    await producer.send(topics.PARKED, value[:_MAX_VALUE], key=key and key[:_MAX_OTHER], headers=headers)


def _few(headers: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The headers, as many as there is room for."""
    room = _MAX_OTHER
    for name, value in headers:
        room -= len(name) + len(value or b"")
        if room >= 0:
            yield name, value


async def replay(producer: Producer, parked: DeadLetter) -> None:
    """Put a parked record back where it came from, as it was, for a release that can read it.

    Raises Rejected("parked_cut") where only its beginning was kept.
    """
    if parked.is_cut:
        raise Rejected("parked_cut", record=parked.id, kept=len(parked.value), length=parked.length)
    await producer.send(parked.topic, parked.value, key=parked.key, headers=parked.headers)


async def found(address: str) -> AsyncIterator[DeadLetter]:
    """All parked records that are still kept, oldest first, each id once."""
    seen: set[str] = set()
    async for record in partition_reader.to_the_end(address, TopicPartition(topics.PARKED, 0)):
        parked = _parked(record)
        if parked.id not in seen:
            seen.add(parked.id)
            yield parked


def _parked(record: ConsumerRecord) -> DeadLetter:
    about = {name: value.decode() for name, value in record.headers if name in _OURS}
    value = record.value or b""
    return DeadLetter(
        id=about[_ID],
        reason=about[_REASON],
        topic=about[_FROM],
        parked_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=value,
        length=int(about.get(_LENGTH, len(value))),
        headers=tuple((name, value) for name, value in record.headers if name not in _OURS),
    )
