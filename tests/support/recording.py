"""A recorded system: the records of its topics, the rows of its databases and its blobs, in one file.

    python -m tests.support.recording KAFKA MONGO STORE FILE

records what a broker, a database and a folder of blobs hold, while no service runs. It imports nothing of the project,
so it can record with any version of it. `restore` puts everything back: records get the offsets that they had, rows
and indexes the names that they had.
"""

import asyncio
import io
import sys
import tarfile
from pathlib import Path
from typing import Any, Final

import bson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import MongoClient

_ROWS: Final = "rows"
_TOPICS: Final = "topics"
_BLOBS: Final = "blobs"
_INDEXES: Final = "indexes"
_VIEWS: Final = "views"
_OWN: Final = ("pagestream",)  # the beginning of the names of databases that are recorded
_LARGE: Final = 64 * 1024  # bytes; what is larger is the source of a scan, which is not read again
_INTERNAL: Final = "__"  # the beginning of the names of Kafka's own topics


async def record(kafka: str, mongo: str, store: Path, file: Path) -> None:
    """Write all that the system holds into `file`, a tar archive that is compressed by xz."""
    with tarfile.open(file, "w:xz", preset=9) as archive:
        for name, records in sorted((await _records(kafka)).items()):
            _add(archive, f"{_TOPICS}/{name}", records)
        with MongoClient[dict[str, Any]](mongo) as client:
            for database in sorted(name for name in client.list_database_names() if name.startswith(_OWN)):
                for about in sorted(client[database].list_collections(), key=lambda about: str(about["name"])):
                    name = f"{database}/{about['name']}"
                    if about["type"] == "view":
                        _add(archive, f"{_VIEWS}/{name}", [about["options"]])
                    elif about["type"] == "collection" and not about["name"].startswith("system."):
                        found = client[database][about["name"]]
                        _add(archive, f"{_ROWS}/{name}", list(found.find()))
                        _add(archive, f"{_INDEXES}/{name}", [dict(index) for index in found.list_indexes()])
        _add_blobs(archive, store)


def _add_blobs(archive: tarfile.TarFile, store: Path) -> None:
    for path in sorted(store.rglob("*")):
        if path.is_file() and path.stat().st_size <= _LARGE:
            archive.add(path, f"{_BLOBS}/{path.relative_to(store)}")


async def restore(file: Path, kafka: str, mongo: str, store: Path) -> None:
    """Put what `record` wrote into empty topics, an empty database and the folder `store`.

    The topics must exist. A fold knows its log again by the time of a record, so records keep theirs.
    """
    with tarfile.open(file) as archive, MongoClient[dict[str, Any]](mongo) as client:
        for member in archive:
            room, _, name = member.name.partition("/")
            content = archive.extractfile(member)
            assert content
            if room == _TOPICS:
                await _produce(kafka, name, bson.decode_all(content.read()))
            elif room == _BLOBS:
                _write(store / name, content.read())
            else:
                database, _, collection = name.partition("/")
                _insert(client, room, database, collection, bson.decode_all(content.read()))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _insert(
    client: MongoClient[dict[str, Any]], room: str, database: str, collection: str, rows: list[dict[str, Any]]
) -> None:
    if room == _ROWS and rows:
        client[database][collection].insert_many(rows)
    elif room == _VIEWS:
        client[database].command({"create": collection, **rows[0]})
    elif room == _INDEXES:
        indexes = [{k: v for k, v in row.items() if k != "ns"} for row in rows if row["name"] != "_id_"]
        if collection not in client[database].list_collection_names():
            client[database].create_collection(collection)
        if indexes:
            client[database].command({"createIndexes": collection, "indexes": indexes})


async def _records(kafka: str) -> dict[str, list[dict[str, Any]]]:
    """The records of every topic, in the order of partition and offset."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        topics = await admin.describe_topics([name for name in await admin.list_topics() if name[:2] != _INTERNAL])
    finally:
        await admin.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return {
            about["topic"]: [
                row
                for number in range(len(about["partitions"]))
                async for row in _of(consumer, TopicPartition(about["topic"], number))
            ]
            for about in topics
        }
    finally:
        await consumer.stop()


async def _of(consumer: AIOKafkaConsumer, place: TopicPartition) -> Any:
    consumer.assign([place])
    end = (await consumer.end_offsets([place]))[place]
    while await consumer.position(place) < end:
        for record in (await consumer.getmany(place, timeout_ms=1_000)).get(place, ()):
            yield {
                "partition": record.partition,
                "offset": record.offset,
                "timestamp": record.timestamp,
                "key": record.key,
                "value": record.value,
                "headers": [[name, value] for name, value in record.headers],
            }


async def _produce(kafka: str, name: str, rows: list[dict[str, Any]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for row in rows:
            headers = [(header, value) for header, value in row["headers"]]
            sent = await producer.send_and_wait(
                name,
                row["value"],
                key=row["key"],
                partition=row["partition"],
                timestamp_ms=row["timestamp"],
                headers=headers,
            )
            assert sent.offset == row["offset"], f"{name}-{row['partition']}: {sent.offset} is not {row['offset']}"
    finally:
        await producer.stop()


def _add(archive: tarfile.TarFile, name: str, rows: list[dict[str, Any]]) -> None:
    data = b"".join(map(bson.encode, rows))
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
