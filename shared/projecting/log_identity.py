"""How a fold knows its log again: by the record before the position at which it goes on.

A log that was deleted and made anew, or lost its end in an election, may have grown past that position. The record
there is another one then.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Final
from zlib import crc32

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

_POLL_MS: Final = 250
_WITHIN_SECONDS: Final = 20.0


def mark_of(record: ConsumerRecord) -> str:
    """What tells a record from any other at its place: when it was written, and what it holds."""
    return f"{record.timestamp}-{crc32(record.value or b''):08x}"


async def strangers(
    consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int], marks: Mapping[TopicPartition, str]
) -> list[TopicPartition]:
    """The partitions in which the record before the position is not the marked one; those without a mark are believed.

    `consumer` is assigned the partitions; where it stands afterwards is left open. Raises TimeoutError.
    """
    awaited = {place: mark for place, mark in marks.items() if positions.get(place, 0) > 0}
    for place in awaited:
        consumer.seek(place, positions[place] - 1)
    others = [place for place in consumer.assignment() if place not in awaited]
    consumer.pause(*others)
    strange = []
    until = time.monotonic() + _WITHIN_SECONDS
    while awaited:
        if time.monotonic() > until:
            raise TimeoutError(f"the broker did not give the records before {len(awaited)} positions")
        try:
            found = await consumer.getmany(*awaited, timeout_ms=_POLL_MS, max_records=len(awaited))
        except OffsetOutOfRangeError:  # it ends before that: the comparison of the offsets reports it
            await asyncio.sleep(0)
            break
        for place, records in found.items():
            first = records[0]
            if first.offset != positions[place] - 1 or mark_of(first) != awaited[place]:
                strange.append(place)
            del awaited[place]
            consumer.pause(place)
    consumer.resume(*consumer.assignment())
    return strange
