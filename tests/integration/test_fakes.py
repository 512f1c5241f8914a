"""One contract for the simulation's fakes and the real parts: whatever is written here holds of both.

Every operator that the fake database knows is tried here; a test says so.
"""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import obstore
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from faststream import AckPolicy
from faststream.kafka.annotations import KafkaMessage
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, MemoryStore
from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, CollectionInvalid, DocumentTooLarge, DuplicateKeyError

from shared.harness.worker import acknowledged, consumer
from shared.kafka import partition_reader
from shared.kafka.consumer import consuming
from shared.kafka.producer import Producer, Unconfirmed
from shared.storage.mongo import Collection, Mongo
from tests.simulation import query, store
from tests.simulation.bench import mongo_of, simulated
from tests.support import kafka
from tests.support.infrastructure import Infrastructure

NOON: Final = datetime(2020, 3, 14, 12, 0, tzinfo=UTC)
LATER: Final = NOON + timedelta(seconds=90)

ROWS: Final = [
    {"_id": "a", "n": 1, "word": "one", "in": {"deep": 1}, "tags": ["x", "y"], "pair": ["p", True], "at": NOON},
    {"_id": "b", "n": 2, "word": None, "in": {"deep": 2}, "tags": [], "at": LATER},
    {"_id": "c", "n": 2.5, "in": {}, "tags": ["y"], "ended": True},
    {"_id": "d", "n": "2", "word": "rebuild-d", "ended": False},
]  # fmt: skip

FILTERS: Final = [
    ({}, "abcd"),
    ({"n": 2}, "b"),
    ({"word": None}, "bc"),
    ({"word": {"$eq": "one"}}, "a"),
    ({"word": {"$ne": "one"}}, "bcd"),
    ({"ended": {"$ne": True}}, "abd"),
    ({"n": {"$in": [1, "2", 7]}}, "ad"),
    ({"n": {"$nin": [1, "2"]}}, "bc"),
    ({"word": {"$nin": ["one", None]}}, "d"),
    ({"n": {"$gt": 1}}, "bc"),
    ({"n": {"$gte": 2}}, "bc"),
    ({"n": {"$lt": 2}}, "a"),
    ({"n": {"$lte": 2}}, "ab"),
    ({"n": {"$gte": "1", "$lt": "3"}}, "d"),
    ({"at": {"$lte": NOON}}, "a"),
    ({"in.deep": 2}, "b"),
    ({"in.deep": {"$exists": False}}, "cd"),
    ({"word": {"$exists": True}}, "abd"),
    ({"tags": "y"}, "ac"),
    ({"tags": {"$all": ["x", "y"]}}, "a"),
    ({"pair.0": "p"}, "a"),
    ({"_id": {"$not": {"$regex": "^[ab]"}}}, "cd"),
    ({"word": {"$regex": "^rebuild-"}}, "d"),
    ({"word": {"$type": "string"}}, "ad"),
    ({"$or": [{"n": 1}, {"n": "2"}]}, "ad"),
    ({"$and": [{"n": {"$gt": 1}}, {"ended": True}]}, "c"),
    ({"$expr": {"$gt": ["$at", "$$NOW"]}}, ""),
    ({"$expr": {"$lte": ["$at", "$$NOW"]}}, "abcd"),  # what is missing is less than any moment
    ({"$expr": {"$ne": ["$in.deep", "$n"]}}, "cd"),
    ({"_id": {"$gt": "a", "$lt": "c"}}, "b"),
]

EXPRESSIONS: Final = [
    ({"$literal": "$n"}, "$n"),
    ({"$cond": [{"$eq": ["$n", 1]}, "yes", "no"]}, "yes"),
    ({"$cond": {"if": "$nothing", "then": "yes", "else": "no"}}, "no"),
    ({"$and": [True, {"$ne": ["$n", 2]}]}, True),
    ({"$or": ["$nothing", {"$gte": ["$n", 1]}]}, True),
    ({"$not": ["$nothing"]}, True),
    ({"$type": "$nothing"}, "missing"),
    ({"$type": "$word"}, "string"),
    ({"$type": "$at"}, "date"),
    ({"$eq": ["$nothing", None]}, False),
    ({"$lt": ["$nothing", None]}, True),
    ({"$lt": [5, "a"]}, True),
    ({"$lte": ["$n", 1.0]}, True),
    ({"$gt": ["$at", "text"]}, True),
    ({"$ifNull": ["$nothing", 7]}, 7),
    ({"$ifNull": ["$n", 7]}, 1),
    ({"$add": ["$n", 2, 3]}, 6),
    ({"$add": ["$at", 90_000]}, LATER),
    ({"$add": ["$n", None]}, None),
    ({"$subtract": ["$n", 3]}, -2),
    ({"$subtract": ["$at", -90_000]}, LATER),
    ({"$in": ["$word", ["one", "two"]]}, True),
    ({"$mergeObjects": ["$in", {"more": "$n", "none": "$nothing"}]}, {"deep": 1, "more": 1}),
    ({"$max": ["$n", 5, None]}, 5),
    ({"$min": ["$n", 5, None]}, 1),
    ({"inner": {"$add": ["$n", 1]}, "none": "$nothing"}, {"inner": 2}),
    ("$in.deep", 1),
]

IN_NEW: Final = {"deep": 1, "new": 3}
UPDATES: Final = [
    ({"$set": {"in.deep": 9, "new.deep": 1}}, {"in": {"deep": 9}, "new": {"deep": 1}}),
    ({"$unset": {"in.deep": "", "nothing": ""}}, {"in": {}}),
    ([{"$set": {"word": "$nothing", "in.new": {"$max": ["$in.new", 3]}}}], {"word": query.MISSING, "in": IN_NEW}),
    ([{"$set": {"n": {"$add": ["$n", 1]}, "in.deep": "$n"}}], {"n": 2, "in": {"deep": 1}}),
    ([{"$addFields": {"twice": {"$add": ["$n", "$n"]}}}, {"$unset": ["word"]}], {"twice": 2, "word": query.MISSING}),
    ([{"$replaceWith": {"$mergeObjects": ["$$ROOT", {"word": "new"}]}}], {"word": "new", "n": 1}),
    ([{"$replaceWith": {"only": "$n"}}], {"only": 1, "n": query.MISSING}),
]


# ---- the database


async def filters(rows: Collection) -> None:
    await rows.insert_many(ROWS)
    for wanted, expected in FILTERS:
        found = [row["_id"] async for row in rows.find(wanted).sort("_id", 1)]
        assert "".join(found) == expected, wanted
        assert await rows.count_documents(wanted) == len(expected), wanted


async def expressions(rows: Collection) -> None:
    await rows.insert_one(ROWS[0])
    for expression, expected in EXPRESSIONS:
        (found,) = [row async for row in rows.aggregate([{"$project": {"v": expression}}])]
        assert found.get("v") == expected, expression


async def updates(rows: Collection) -> None:
    for change, expected in UPDATES:
        await rows.replace_one({"_id": "a"}, ROWS[0], upsert=True)
        done = await rows.update_one({"_id": "a"}, change)
        found = await rows.find_one({"_id": "a"})
        assert found is not None
        assert (done.matched_count, done.modified_count) == (1, 1)
        for name, value in expected.items():
            assert found.get(name, query.MISSING) == value, change
    again = await rows.update_one({"_id": "a"}, {"$set": {"only": 1}})
    assert (again.matched_count, again.modified_count) == (1, 0)
    assert (await rows.update_one({"_id": "none"}, {"$set": {"n": 1}})).matched_count == 0
    assert (await rows.update_many({}, [{"$set": {"n": 3}}])).modified_count == 1
    await rows.update_one({"_id": "a"}, {"$currentDate": {"changed_at": True}})
    found = await rows.find_one({"_id": "a"})
    assert found is not None
    assert isinstance(found["changed_at"], datetime)


async def upserts(rows: Collection) -> None:
    guarded = {"_id": "a", "version": {"$lt": 5}}
    await rows.update_one(guarded, {"$set": {"version": 5}}, upsert=True)
    with pytest.raises(DuplicateKeyError):
        await rows.update_one(guarded, {"$set": {"version": 5}}, upsert=True)
    assert await rows.find_one({"_id": "a"}) == {"_id": "a", "version": 5}
    await rows.replace_one({"_id": "b", "kind": "new"}, {"n": 1}, upsert=True)
    assert await rows.find_one({"_id": "b"}) == {"_id": "b", "n": 1}
    with pytest.raises(DuplicateKeyError):
        await rows.replace_one({"_id": "b", "n": 2}, {"n": 3}, upsert=True)
    replaced = await rows.replace_one({"_id": "b", "n": 1}, {"n": 3})
    assert replaced.matched_count == 1


async def taking(rows: Collection) -> None:
    """One conditional write, decided inside the database."""
    new = {"$eq": [{"$type": "$owner"}, "missing"]}
    mine = {"owner": "me", "until": {"$add": ["$$NOW", 1000]}, "times": {"$add": [{"$ifNull": ["$times", 0]}, 1]}}
    change = [{"$replaceWith": {"$cond": [new, {"$mergeObjects": ["$$ROOT", mine]}, "$$ROOT"]}}]
    before = await rows.find_one_and_update({"_id": "a"}, change, upsert=True)
    first = await rows.find_one_and_update({"_id": "a"}, change, upsert=True, return_document=True)
    assert before is None
    assert (first["_id"], first["owner"], first["times"]) == ("a", "me", 1)
    assert await rows.find_one({"_id": "a", "$expr": {"$gt": ["$until", "$$NOW"]}}) == first
    assert await rows.find_one_and_update({"_id": "none"}, [{"$set": {"n": 1}}]) is None


async def bulks(rows: Collection) -> None:
    await rows.insert_one({"_id": "b", "n": 0})
    with pytest.raises(BulkWriteError) as failed:
        await rows.insert_many([{"_id": "a"}, {"_id": "b"}, {"_id": "c"}, {"_id": "b"}], ordered=False)
    problems = failed.value.details["writeErrors"]
    assert [(problem["index"], problem["code"]) for problem in problems] == [(1, 11000), (3, 11000)]
    with pytest.raises(BulkWriteError):
        await rows.insert_many([{"_id": "b"}, {"_id": "d"}])
    assert await rows.count_documents({}) == 3
    guard = UpdateOne({"_id": "b", "version": {"$lt": 1}}, {"$set": {"version": 1}}, upsert=True)
    with pytest.raises(BulkWriteError):
        await rows.bulk_write([guard, ReplaceOne({"_id": "c"}, {"n": 7}, upsert=True)], ordered=False)
    assert await rows.find_one({"_id": "c"}) == {"_id": "c", "n": 7}
    await rows.bulk_write([ReplaceOne({"_id": "e"}, {"_id": "e", "n": 7}, upsert=True)])
    assert await rows.find_one({"_id": "e"}) == {"_id": "e", "n": 7}


async def reading_rows(rows: Collection) -> None:
    await rows.insert_many(ROWS)
    shown = await rows.find_one({"_id": "a"}, {"in.deep": 1, "nothing": 1})
    assert shown == {"_id": "a", "in": {"deep": 1}}
    assert await rows.find_one({"_id": "a"}, {"_id": 1}) == {"_id": "a"}
    hidden = await rows.find_one({"_id": "d"}, {"word": 0, "n": 0})
    assert hidden == {"_id": "d", "ended": False}
    order = [row["_id"] async for row in rows.find().sort([("ended", -1), ("_id", 1)])]
    assert order == ["c", "d", "a", "b"]
    assert [row["_id"] async for row in rows.find({}).sort("n", 1).limit(2)] == ["a", "b"]
    last = await rows.find_one({"at": {"$ne": None}}, sort=[("at", -1)])
    assert last is not None
    assert (last["_id"], last["at"]) == ("b", LATER)


async def aggregates(rows: Collection) -> None:
    await rows.insert_many(ROWS)
    sums = {"sum": {"$sum": "$n"}, "most": {"$max": "$n"}, "least": {"$min": "$n"}, "count": {"$sum": 1}}
    steps = [{"$match": {"n": {"$gt": 0}}}, {"$group": {"_id": "$ended", **sums}}, {"$sort": {"count": -1}}]
    found = [row async for row in rows.aggregate(steps)]
    assert found[0] == {"_id": None, "sum": 3, "most": 2, "least": 1, "count": 2}
    assert found[1]["_id"] is True
    assert [row async for row in rows.aggregate([*steps, {"$limit": 1}])] == found[:1]
    together = [row async for row in rows.aggregate([{"$group": {"_id": None, "count": {"$sum": 1}}}])]
    assert together == [{"_id": None, "count": 4}]


async def removing(rows: Collection) -> None:
    await rows.insert_many(ROWS)
    assert (await rows.delete_one({"n": {"$gt": 0}})).deleted_count == 1
    assert (await rows.delete_many({"n": {"$gt": 0}})).deleted_count == 2
    assert await rows.count_documents({}) == 1
    await rows.drop()
    assert await rows.find_one({}) is None


async def limits(rows: Collection) -> None:
    await rows.insert_one({"_id": "a"})
    with pytest.raises(DuplicateKeyError):
        await rows.insert_one({"_id": "a"})
    with pytest.raises(DocumentTooLarge):
        await rows.insert_one({"_id": "b", "bytes": b" " * 17 * 1024 * 1024})
    assert await rows.find_one({"_id": "b"}) is None
    await rows.insert_one({"_id": "c", "tuple": ("x", 1), "moment": NOON.replace(microsecond=1999)})
    assert await rows.find_one({"_id": "c"}) == {
        "_id": "c",
        "tuple": ["x", 1],
        "moment": NOON.replace(microsecond=1000),
    }


OF_DATABASE: Final = [
    filters, expressions, updates, upserts, taking, bulks, reading_rows, aggregates, removing, limits,
]  # fmt: skip


@pytest.mark.parametrize("contract", OF_DATABASE)
def test_the_fake_database(contract: Callable[[Collection], Awaitable[None]]) -> None:
    simulated(lambda world: contract(mongo_of(world).control["contract"]))  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("contract", OF_DATABASE)
async def test_the_real_database(contract: Callable[[Collection], Awaitable[None]], database: Mongo) -> None:
    await contract(database.control["contract"])


async def collections_are_created_once(mongo: Mongo) -> None:
    await mongo.control.create_collection("created")
    with pytest.raises(CollectionInvalid):
        await mongo.control.create_collection("created")


def test_the_fake_database_creates_a_collection_once() -> None:
    simulated(lambda world: collections_are_created_once(mongo_of(world)))


async def test_the_real_database_creates_a_collection_once(database: Mongo) -> None:
    await collections_are_created_once(database)


def test_every_operator_that_the_fake_knows_is_tried_here() -> None:
    operator = re.compile(r'"(\$\$?[A-Za-z]+)"')
    known = set(operator.findall(Path(query.__file__).read_text()))
    tried = set(operator.findall(Path(__file__).read_text()))
    assert known - tried == set()


# ---- the broker


async def order_and_positions(address: str, topic: str) -> None:
    places = [TopicPartition(topic, number) for number in range(3)]
    async with Producer.connect(address) as producer, consuming(address, places) as found:
        for place in places:
            found.seek(place, 0)
        await producer.send_all(topic, [("k", str(n).encode(), [("h", b"v")]) for n in range(5)])
        place = partition_reader.place_of(topic, "k", 3)
        assert (await found.end_offsets(places))[place] == 5
        assert (await found.beginning_offsets(places))[place] == 0
        records: list[Any] = []
        while len(records) < 5:
            records += (await found.getmany(timeout_ms=500, max_records=2)).get(place, [])
        assert [(record.offset, record.value) for record in records] == [(n, str(n).encode()) for n in range(5)]
        assert (records[0].key, tuple(records[0].headers)) == (b"k", (("h", b"v"),))
        assert found.highwater(place) == 5
        assert await found.position(place) == 5
        assert found.assignment() == set(places)
        assert await found.getmany(timeout_ms=10) == {}
        found.seek(place, 3)
        found.pause(place)
        assert await found.getmany(timeout_ms=10) == {}
        found.resume(place)
        again = await found.getmany(place, timeout_ms=5_000)
        assert [record.offset for record in again[place]] == [3, 4]


async def nothing_beyond_the_end(address: str, topic: str) -> None:
    place = TopicPartition(topic, 0)
    async with consuming(address, [place]) as found:
        found.seek(place, 7)
        with pytest.raises(OffsetOutOfRangeError):
            await found.getmany(timeout_ms=20_000)


async def too_large(address: str, topic: str) -> None:
    async with Producer.connect(address) as producer:
        with pytest.raises(Unconfirmed, match="MessageSizeTooLarge"):
            await producer.send(topic, b" " * (1024 * 1024 + 1))


async def delivered_again(address: str, topic: str) -> None:
    """What was not acknowledged comes again, to the next life of the same member."""
    async with Producer.connect(address) as producer:
        place = partition_reader.place_of(topic, "k", 3)
        await producer.send_all(topic, [("k", b"first", []), ("k", b"second", [])])
    first = await _delivered(address, topic, acknowledge={b"first"}, until=2)
    assert first == [b"first", b"second"]
    admin = acknowledged.AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    committed = await admin.list_consumer_group_offsets(f"group.{topic}")
    await admin.close()
    assert {at: known.offset for at, known in committed.items() if known.offset > 0} == {place: 1}
    assert await _delivered(address, topic, acknowledge={b"second"}, until=1) == [b"second"]
    async with Producer.connect(address) as producer:
        await producer.send(topic, b"third", key="k")
    assert await _delivered(address, topic, acknowledge=set(), until=1) == [b"third"]


async def _delivered(address: str, topic: str, *, acknowledge: set[bytes], until: int) -> list[bytes]:
    heard: list[bytes] = []
    enough = asyncio.Event()

    async def on_record(body: bytes, message: KafkaMessage) -> None:
        heard.append(bytes(message.body))
        if bytes(message.body) in acknowledge:
            await message.ack()
        if len(heard) >= until:
            enough.set()

    broker = consumer.KafkaBroker(address, graceful_timeout=1.0, logger=None)
    subscriber = broker.subscriber(
        topic, group_id=f"group.{topic}", group_instance_id="member", auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL, decoder=consumer._as_received,
    )  # fmt: skip
    subscriber(on_record)
    await broker.start()
    try:
        await asyncio.wait_for(enough.wait(), 30)
    finally:
        await broker.stop()
    return heard


OF_BROKER: Final = [order_and_positions, nothing_beyond_the_end, too_large, delivered_again]


@pytest.mark.parametrize("contract", OF_BROKER)
def test_the_fake_broker(contract: Callable[[str, str], Awaitable[None]]) -> None:
    simulated(lambda _: contract("127.0.0.1:1", "contract"))  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("contract", OF_BROKER)
async def test_the_real_broker(contract: Callable[[str, str], Awaitable[None]], infrastructure: Infrastructure) -> None:
    topic = f"contract-{uuid.uuid4().hex[:8]}"
    await kafka.create(infrastructure.kafka, topic, partitions=3)
    await contract(infrastructure.kafka, topic)


# ---- the store


async def blobs(library: Any, place: Any) -> None:
    await library.put_async(place, "t/d/one", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        await library.put_async(place, "t/d/one", b"2", mode="create")
    assert bytes(await (await library.get_async(place, "t/d/one")).bytes_async()) == b"1"
    await library.put_async(place, "t/d/one", b"3")
    assert bytes(library.get(place, "t/d/one").bytes()) == b"3"
    await library.put_async(place, "t/dd/two", b"2")
    await library.put_async(place, "u/e/three", b"3")
    assert await _listed(library, place, "t/d") == ["t/d/one"]  # whole names only
    assert await _listed(library, place, "t") == ["t/d/one", "t/dd/two"]
    assert (await library.list_with_delimiter_async(place))["common_prefixes"] == ["t", "u"]
    assert (await library.list_with_delimiter_async(place, "t"))["common_prefixes"] == ["t/d", "t/dd"]
    parts = [bytes(part) async for part in (await library.get_async(place, "t/dd/two")).stream(min_chunk_size=10)]
    assert b"".join(parts) == b"2"


async def missing_blobs(library: Any, place: Any) -> None:
    for read in (library.get_async, library.head_async):
        with pytest.raises(FileNotFoundError):
            await read(place, "t/none")
    with pytest.raises(FileNotFoundError):
        library.get(place, "t/none").bytes()
    assert await _listed(library, place, "t") == []


async def written_and_removed(library: Any, place: Any) -> None:
    writer = library.open_writer_async(place, "t/stream", buffer_size=5 * 1024 * 1024, max_concurrency=2)
    await writer.write(b"a" * 10)
    await writer.write(b"b")
    await writer.close()
    assert bytes(library.get(place, "t/stream").bytes()) == b"a" * 10 + b"b"
    await library.put_async(place, "t/other", b"1")
    await library.delete_async(place, ["t/stream", "t/other"])
    assert await _listed(library, place, "t") == []


async def _listed(library: Any, place: Any, prefix: str) -> list[str]:
    return sorted([entry["path"] async for page in library.list(place, prefix=prefix) for entry in page])


OF_STORE: Final = [blobs, missing_blobs, written_and_removed]


@pytest.mark.parametrize("contract", OF_STORE)
def test_the_fake_store(contract: Callable[[Any, Any], Awaitable[None]]) -> None:
    async def body(_: Any) -> None:
        await contract(store, store.S3Store())

    simulated(body)


@pytest.fixture(params=["memory", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return MemoryStore() if request.param == "memory" else LocalStore(tmp_path)


@pytest.mark.parametrize("contract", OF_STORE)
async def test_the_real_store(contract: Callable[[Any, Any], Awaitable[None]], place: Any) -> None:
    await contract(obstore, place)
