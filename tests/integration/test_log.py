"""Appending to a real broker: confirmed, in order, or unconfirmed within the deadline."""

import asyncio
import socket
import time
import uuid
from contextlib import ExitStack

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaConnectionError

from shared.events.document import Progress, StageStarted, decode, decode_progress, utcnow
from shared.kafka import topics
from shared.kafka.producer import Producer, Unconfirmed
from shared.runtime.settings import SharedSettings
from tests.support import kafka
from tests.support.facts import say, uploaded
from tests.support.infrastructure import Infrastructure
from tests.support.wait import until


async def records_of(settings: SharedSettings, topic: str, document_id: str) -> list[ConsumerRecord]:
    return [r for r in await kafka.records(settings.kafka, topic) if r.key == document_id.encode()]


async def test_what_was_appended_is_in_the_log_in_one_partition_in_order(
    settings: SharedSettings, producer: Producer
) -> None:
    first = uploaded()
    facts = [first, *(say(StageStarted, first.document_id, str(n), stage="ocr", attempt=n) for n in range(1, 30))]
    for fact in facts:
        await producer.append(fact)
    mine = [r for r in await kafka.records(settings.kafka, topics.DOCUMENTS) if r.key == first.document_id.encode()]
    assert [decode(record.value) for record in mine] == facts
    assert len({record.partition for record in mine}) == 1


async def test_records_sent_together_keep_their_order_and_headers(settings: SharedSettings, producer: Producer) -> None:
    topic = f"t{uuid.uuid4().hex}"
    await kafka.create(settings.kafka, topic)
    await producer.send_all(topic, [(f"k{n}", b"%d" % n, [("tenant", b"t%d" % n)]) for n in range(50)])
    found = await kafka.records(settings.kafka, topic)
    assert [(r.key, r.value, r.headers) for r in found] == [
        (b"k%d" % n, b"%d" % n, (("tenant", b"t%d" % n),)) for n in range(50)
    ]


async def test_a_tick_goes_to_the_partition_of_its_document(settings: SharedSettings, producer: Producer) -> None:
    fact = uploaded()
    await producer.append(fact)
    tick = Progress(
        document_id=fact.document_id, tenant="default", stage="ocr", attempt=1, slice=0, fraction=0.5, code="x",
        at=utcnow(),
    )  # fmt: skip
    producer.tick(tick)
    (found,) = await until(lambda: records_of(settings, topics.PROGRESS, fact.document_id))
    assert decode_progress(found.value) == tick
    (appended,) = await records_of(settings, topics.DOCUMENTS, fact.document_id)
    assert found.partition == appended.partition


async def test_a_fact_that_is_too_large_is_refused_before_it_is_sent(
    settings: SharedSettings, producer: Producer
) -> None:
    fact = uploaded().model_copy(update={"media_type": "x" * 70_000})
    with pytest.raises(ValueError, match=r"DocumentUploaded of 70\d+ bytes"):
        await producer.append(fact)
    assert await records_of(settings, topics.DOCUMENTS, fact.document_id) == []


async def test_a_silent_broker_means_unconfirmed_within_the_deadline_and_the_same_fact_can_be_sent_again(
    settings: SharedSettings, infrastructure: Infrastructure
) -> None:
    fact = uploaded()
    async with Producer.connect(settings.kafka, deadline=1.0) as producer:
        await producer.append(uploaded())  # it knows the broker
        with infrastructure.frozen_broker():
            began = time.monotonic()
            with pytest.raises(Unconfirmed, match="documents"):
                await producer.append(fact)
            assert time.monotonic() - began < 3
    async with Producer.connect(settings.kafka) as producer:
        await producer.append(fact)
    mine = [decode(record.value) for record in await records_of(settings, topics.DOCUMENTS, fact.document_id)]
    assert mine in ([fact], [fact, fact])  # the first may have arrived


async def test_leaving_does_not_wait_for_a_broker_that_is_away(
    settings: SharedSettings, infrastructure: Infrastructure
) -> None:
    async def append_and_leave() -> None:
        async with Producer.connect(settings.kafka, deadline=1.0) as producer:
            await producer.append(uploaded())
            freezing.enter_context(infrastructure.frozen_broker())
            await producer.append(uploaded())

    with ExitStack() as freezing:
        leaving = asyncio.create_task(append_and_leave())
        done, _ = await asyncio.wait([leaving], timeout=10)
    with pytest.raises(Unconfirmed):
        await leaving
    assert done, "it left only once the broker was back"


async def test_a_broker_that_is_not_there_is_an_error_that_leaves_nothing_open() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        with pytest.raises(KafkaConnectionError):
            async with Producer.connect(f"127.0.0.1:{closed.getsockname()[1]}"):
                pass
