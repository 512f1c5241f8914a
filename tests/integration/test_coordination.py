"""The coordinator's shell on a real database: what it remembers, what it writes when, what it believes of leases."""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.events.document import (
    CONCLUDE,
    PLAN,
    Fact,
    Failure,
    SliceFailed,
    StageCompleted,
    StagePlanned,
    WorkerLost,
)
from shared.harness.coordinator import fold
from shared.harness.coordinator.assignment import Assignment, evolve
from shared.harness.coordinator.fold import CoordinatorFold, from_row, to_row
from shared.harness.work_item import WorkItem
from shared.harness.worker.acknowledged import Acknowledged, group_of
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.projecting.batch import Batch, Entry
from shared.projecting.state_store import StateStore
from shared.runtime.settings import SharedSettings
from shared.storage.leases import Leases, Owner, Workers
from shared.storage.mongo import Mongo
from tests.support.facts import life, say, uploaded
from tests.support.kafka import records

WORKER = Owner("here/ocr", "boot-1")


def batch(facts: list[Any], first: int = 0) -> Batch:
    return Batch(facts=[Entry(first + number, fact) for number, fact in enumerate(facts)])


def until_last_page(document_id: str) -> list[Any]:
    """Facts until every page is read and nothing is concluded."""
    facts = life(document_id)
    return facts[: next(n for n, fact in enumerate(facts) if isinstance(fact, StageCompleted))]


async def test_several_batches_are_written_as_one_and_what_is_written_is_not_written_again(
    database: Mongo, producer: Producer
) -> None:
    coordination = CoordinatorFold("ocr", database, producer, max_attempts=3)
    document_id = str(uuid.uuid4())
    facts = until_last_page(document_id)
    first = await coordination.apply(batch(facts[:2]))
    second = await coordination.apply(batch(facts[2:], first=2))
    rows = database.coordinator("ocr")
    assert await rows.count_documents({}) == 0
    await first()
    stored = await rows.find_one({"_id": document_id})
    assert stored
    assert stored["offset"] == max(n for n, fact in enumerate(facts) if fact.type != "WorkerLost")
    await rows.delete_many({})
    await second()
    assert await rows.count_documents({}) == 0


async def test_a_coordinator_that_catches_up_remembers_nothing_of_what_has_ended(
    database: Mongo, producer: Producer
) -> None:
    coordination = CoordinatorFold("ocr", database, producer, max_attempts=3)
    for _ in range(3):
        facts = life(str(uuid.uuid4()))
        planned = next(n for n, fact in enumerate(facts) if isinstance(fact, StagePlanned))
        facts[planned] = facts[planned].model_copy(update={"followed_by": 1})
        await coordination.apply(batch(facts))
    assert not coordination._touched | coordination._flights.changed
    assert await coordination.decide() is False


async def test_a_state_that_is_not_written_yet_is_never_forgotten(database: Mongo) -> None:
    states = StateStore(database.coordinator("ocr"), from_row, capacity=1)
    found = {str(uuid.uuid4()): evolve(None, uploaded(), "ocr") for _ in range(3)}
    kept = {i: state for i, state in found.items() if state}
    states.keep(kept)
    first, *later = kept
    await states.store({first: kept[first]}, {first: to_row(kept[first]) | {"version": 1}})
    assert list(await states.load(later)) == later


async def test_a_page_whose_lease_is_still_held_when_its_fact_is_read_delays_nothing(
    settings: SharedSettings, database: Mongo, producer: Producer
) -> None:
    await topics.provision(settings.kafka, partitions=settings.partitions)
    await Workers(database).announce(WORKER, "ocr", slots=2)
    document_id = str(uuid.uuid4())
    about = {"document_id": document_id, "tenant": "default", "stage": "ocr", "attempt": 1, "plan": "p", "slice": 1}
    assert await Leases(database, WORKER).claim("w", about)
    coordination = CoordinatorFold("ocr", database, producer, max_attempts=3)
    await (await coordination.apply(batch(until_last_page(document_id))))()
    await coordination.decide()
    sent = [orjson.loads(record.value) for record in await records(settings.kafka, topics.slices("ocr"))]
    assert [item["slice"] for item in sent if item["document_id"] == document_id] == [CONCLUDE]


async def sent_of(settings: SharedSettings, document_id: str) -> list[int]:
    """The slices of the document that were put on the stage's topic, in order of time."""
    found = sorted(await records(settings.kafka, topics.slices("ocr")), key=lambda record: record.timestamp)
    items = [orjson.loads(record.value) for record in found]
    return [item["slice"] for item in items if item["document_id"] == document_id]


class Clock:
    """The coordinator's clock, moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(fold.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def looked(coordination: CoordinatorFold, clock: Clock, seconds: float) -> None:
    """Let the coordinator decide every second."""
    for _ in range(round(seconds)):
        clock.now += 1.0
        await coordination.decide()


async def test_what_was_taken_and_came_to_nothing_is_sent_again_and_counted(
    settings: SharedSettings, database: Mongo, producer: Producer, clock: Clock
) -> None:
    taken: dict[int, int] = {}
    await Workers(database).announce(WORKER, "ocr", slots=1)

    async def offsets() -> Mapping[int, int]:
        return taken

    coordination = CoordinatorFold("ocr", database, producer, 3, offsets)
    document_id = str(uuid.uuid4())
    await (await coordination.apply(batch([uploaded(document_id)])))()
    await looked(coordination, clock, 30)
    assert await sent_of(settings, document_id) == [PLAN]  # it waits in Kafka: nobody is free
    taken.update(dict.fromkeys(range(settings.partitions), 10**9))
    await looked(coordination, clock, 8)
    assert await sent_of(settings, document_id) == [PLAN, PLAN]
    await looked(coordination, clock, 12)
    assert coordination.status()["circulating"] == 1
    await (await coordination.apply(batch([planned(document_id)], first=1)))()
    await looked(coordination, clock, 3)
    assert coordination.status()["circulating"] == 0


def failed_to_plan(document_id: str) -> Fact:
    error = Failure(code="encrypted")
    fact: Fact = say(SliceFailed, document_id, stage="ocr", attempt=1, slice=PLAN, error=error, strike=1)
    return fact


def planned(document_id: str) -> Fact:
    (fact,) = [fact for fact in life(document_id) if isinstance(fact, StagePlanned) and fact.stage == "ocr"]
    return fact


async def test_the_broker_says_what_a_stages_workers_have_acknowledged(
    settings: SharedSettings, producer: Producer
) -> None:
    taken = Acknowledged(settings.kafka, "chunk")
    try:
        partition, offset = await producer.send(topics.slices("chunk"), b"{}")
        place = TopicPartition(topics.slices("chunk"), partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka, group_id=group_of("chunk"), enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign([place])
        await consumer.commit({place: offset + 1})
        await consumer.stop()
        after = await taken.offsets()
        assert after is not None
        assert after[partition] == offset + 1
        assert set(after) <= set(range(settings.partitions))
    finally:
        await taken.close()


async def test_a_broker_that_does_not_answer_is_no_reason_to_end() -> None:
    taken = Acknowledged("127.0.0.1:1", "ocr")
    assert await taken.offsets() is None
    await taken.close()


async def test_a_fact_that_cannot_be_folded_sets_its_document_aside_over_restarts_and_the_others_go_on(
    settings: SharedSettings, database: Mongo, producer: Producer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Workers(database).announce(WORKER, "ocr", slots=4)
    odd, sound = str(uuid.uuid4()), str(uuid.uuid4())

    def evolve_or_raise(before: Assignment | None, fact: Fact, stage: str) -> Assignment | None:
        if fact.document_id == odd and isinstance(fact, StagePlanned):
            raise KeyError("a bug that this fact meets")
        return evolve(before, fact, stage)

    monkeypatch.setattr(fold, "evolve", evolve_or_raise)
    first = CoordinatorFold("ocr", database, producer, max_attempts=3)
    facts = [fact for i in (odd, sound) for fact in until_last_page(i) if not isinstance(fact, WorkerLost)]
    await (await first.apply(batch(facts)))()
    await looked(first, clock, 2)
    assert await sent_of(settings, sound) == [CONCLUDE]
    assert await sent_of(settings, odd) == []
    assert first.status()["set_aside"] == 1
    again = CoordinatorFold("ocr", database, producer, max_attempts=3)  # it restarts, and the bug is still there
    await again.start()
    await looked(again, clock, 2)
    assert await sent_of(settings, odd) == []
    monkeypatch.setattr(fold, "evolve", evolve)
    await looked(again, clock, 130)
    assert {*await sent_of(settings, odd)} == {CONCLUDE}
    assert again.status()["set_aside"] == 0
    await (await again.apply(batch([])))()
    assert await database.coordinator("ocr_aside").count_documents({}) == 0


async def test_a_document_whose_item_cannot_be_made_is_set_aside_and_the_others_go_on(
    settings: SharedSettings, database: Mongo, producer: Producer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Workers(database).announce(WORKER, "ocr", slots=4)
    odd, sound, make = str(uuid.uuid4()), str(uuid.uuid4()), fold.work_item

    def make_or_raise(assignment: Assignment, number: int) -> WorkItem:
        if assignment.document_id == odd:
            raise KeyError("a bug that this document meets")
        return make(assignment, number)

    monkeypatch.setattr(fold, "work_item", make_or_raise)
    coordination = CoordinatorFold("ocr", database, producer, max_attempts=3)
    await (await coordination.apply(batch([uploaded(odd), uploaded(sound)])))()
    await looked(coordination, clock, 3)
    assert (await sent_of(settings, odd), await sent_of(settings, sound)) == ([], [PLAN])
    monkeypatch.setattr(fold, "work_item", make)
    await looked(coordination, clock, 60)
    assert await sent_of(settings, odd) == [PLAN]


async def test_an_end_of_an_attempt_that_does_not_come_back_is_said_again(
    settings: SharedSettings, database: Mongo, producer: Producer, clock: Clock
) -> None:
    await Workers(database).announce(WORKER, "ocr", slots=1)
    document_id = str(uuid.uuid4())
    coordination = CoordinatorFold("ocr", database, producer, max_attempts=3)
    facts = until_last_page(document_id)
    await (await coordination.apply(batch([*facts[:1], failed_to_plan(document_id)])))()
    await looked(coordination, clock, 25)
    said = [orjson.loads(record.value) for record in await records(settings.kafka, topics.DOCUMENTS)]
    mine = [fact for fact in said if fact.get("document_id") == document_id]  # standalone jobs have none
    ids = [fact["event_id"] for fact in mine if fact["type"] == "StageFailed"]
    assert len(ids) == 3
    assert len(set(ids)) == 1
