"""The coordinator's shell on a real database: what it remembers, what it writes when, what it believes of leases."""

import uuid
from typing import Any

import orjson
from facts import life, uploaded
from kafka_side import records

from shared import topics
from shared.events import CONCLUDE, StageCompleted
from shared.folding import Batch, Entry
from shared.harness.coordination import Coordination, from_row, to_row
from shared.harness.coordinator import evolve
from shared.kafka import Log
from shared.leases import Leases, Owner, Workers
from shared.mongo import Mongo
from shared.settings import SharedSettings
from shared.states import States

WORKER = Owner("here/ocr", "boot-1")


def batch(facts: list[Any], first: int = 0) -> Batch:
    return Batch(facts=[Entry(first + number, fact) for number, fact in enumerate(facts)])


def until_last_page(document_id: str) -> list[Any]:
    """Facts until every page is read and nothing is concluded."""
    facts = life(document_id)
    return facts[: next(n for n, fact in enumerate(facts) if isinstance(fact, StageCompleted))]


async def test_several_batches_are_written_as_one_and_what_is_written_is_not_written_again(
    database: Mongo, log: Log
) -> None:
    coordination = Coordination("ocr", database, log, max_attempts=3)
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


async def test_a_state_that_is_not_written_yet_is_never_forgotten(database: Mongo) -> None:
    states = States(database.coordinator("ocr"), from_row, capacity=1)
    found = {str(uuid.uuid4()): evolve(None, uploaded(), "ocr") for _ in range(3)}
    kept = {i: state for i, state in found.items() if state}
    states.keep(kept)
    first, *later = kept
    await states.store({first: kept[first]}, {first: to_row(kept[first]) | {"version": 1}})
    assert list(await states.load(later)) == later


async def test_a_page_whose_lease_is_still_held_when_its_fact_is_read_delays_nothing(
    settings: SharedSettings, database: Mongo, log: Log
) -> None:
    await topics.provision(settings.kafka, partitions=settings.partitions)
    await Workers(database).announce(WORKER, "ocr", slots=2)
    document_id = str(uuid.uuid4())
    about = {"document_id": document_id, "tenant": "default", "stage": "ocr", "attempt": 1, "plan": "p", "slice": 1}
    assert await Leases(database, WORKER).claim("w", about)
    coordination = Coordination("ocr", database, log, max_attempts=3)
    await (await coordination.apply(batch(until_last_page(document_id))))()
    await coordination.decide()
    sent = [orjson.loads(record.value) for record in await records(settings.kafka, topics.slices("ocr"))]
    assert [item["slice"] for item in sent if item["document_id"] == document_id] == [CONCLUDE]
