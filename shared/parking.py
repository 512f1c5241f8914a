"""Parking: bytes that nobody can read are kept with the reason, and their partition moves on."""

from aiokafka import ConsumerRecord

from shared import logs, topics
from shared.kafka import Log

log = logs.get(__name__)


async def park(sink: Log, record: ConsumerRecord, reason: str) -> None:
    """Put the record on the topic `parked` as it was received. Its id is its place, so parking twice shows."""
    place = f"{record.topic}-{record.partition}-{record.offset}"
    log.warning("parked", place=place, reason=reason)
    headers = [("id", place.encode()), ("reason", reason[:500].encode()), ("parked-from", record.topic.encode())]
    key = record.key.decode(errors="replace") if record.key else None
    await sink.send(topics.PARKED, record.value or b"", key=key, headers=[*record.headers, *headers])
