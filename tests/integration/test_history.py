"""The log asked afterwards: a document as it was at a version, and records that could not be read."""

import uuid

import pytest
from aiokafka import ConsumerRecord

from services.progress import history
from shared.errors import Rejected
from shared.events.document import CancelRequested, Fact, StageStarted
from shared.kafka import dead_letters, partition_reader, topics
from shared.kafka.dead_letters import DeadLetter
from shared.kafka.producer import Producer
from shared.runtime.settings import SharedSettings
from tests.support.facts import say, uploaded


async def told(producer: Producer) -> list[Fact]:
    """A document that was uploaded, begun and cancelled, in the log."""
    begun = uploaded()
    facts: list[Fact] = [
        begun,
        say(StageStarted, begun.document_id, stage="ocr", run=1, attempt=1),
        say(CancelRequested, begun.document_id),
    ]
    for fact in facts:
        await producer.append(fact)
    return facts


async def of_key(settings: SharedSettings, topic: str, key: bytes) -> list[ConsumerRecord]:
    """What the topic holds under `key`."""
    place = partition_reader.place_of(topic, key.decode(), settings.partitions)
    return [record async for record in partition_reader.to_the_end(settings.kafka, place) if record.key == key]


async def test_every_fact_of_a_document_is_found_and_none_of_another(
    producer: Producer, settings: SharedSettings
) -> None:
    ours, other = await told(producer), await told(producer)
    assert [fact.event_id async for fact in history.facts(settings, ours[0].document_id)] == [f.event_id for f in ours]
    assert [fact.event_id async for fact in history.facts(settings, other[0].document_id)] == [
        fact.event_id for fact in other
    ]


async def test_a_document_is_shown_as_it_was_at_each_version(producer: Producer, settings: SharedSettings) -> None:
    facts = await told(producer)
    document_id = facts[0].document_id
    last = await history.at_version(settings, document_id, None)
    assert last.status == "cancelling"
    step = last.version // len(facts)
    seen = [(await history.at_version(settings, document_id, step * n)).status for n in (1, 2, 3)]
    assert seen == ["uploaded", "processing", "cancelling"]
    between = await history.at_version(settings, document_id, 2 * step + 1)
    assert between.version == 2 * step


async def test_a_document_that_the_log_does_not_hold_is_said_so(producer: Producer, settings: SharedSettings) -> None:
    with pytest.raises(Rejected, match="at any version"):
        await history.at_version(settings, str(uuid.uuid4()), None)
    document_id = (await told(producer))[0].document_id
    with pytest.raises(Rejected, match="at version 0"):
        await history.at_version(settings, document_id, 0)


async def test_a_parked_record_is_listed_once_and_goes_back_as_it_was(
    producer: Producer, settings: SharedSettings
) -> None:
    key = uuid.uuid4().hex.encode()
    await producer.send(topics.PROGRESS, b"no envelope", key=key, headers=[("traceparent", b"00-1")])
    found = await of_key(settings, topics.PROGRESS, key)
    for _ in range(2):  # parked again after a database was dropped
        await dead_letters.park(producer, found[0], "not JSON")
    (parked,) = [record async for record in dead_letters.found(settings.kafka) if record.key == key]
    assert parked == DeadLetter(
        id=f"{topics.PROGRESS}-{found[0].partition}-{found[0].offset}",
        reason="not JSON",
        topic=topics.PROGRESS,
        parked_at=parked.parked_at,
        key=key,
        value=b"no envelope",
        headers=(("traceparent", b"00-1"),),
        length=len(b"no envelope"),
    )
    await dead_letters.replay(producer, parked)
    again = await of_key(settings, topics.PROGRESS, key)
    assert [(record.value, record.headers) for record in again] == [(b"no envelope", found[0].headers)] * 2
