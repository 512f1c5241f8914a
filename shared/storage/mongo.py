"""The only module that imports the MongoDB driver: connects, names the collections, keeps the generation pointer.

Two databases. `pagestream` holds only what a fold wrote: drop it whenever you like. `pagestream_control` holds claims,
leases and keys: it is backed up. A projection belongs to a generation; its collections carry the generation's name,
and one pointer document names the live generation. Views under the plain names (`documents`, `processing_jobs`, …)
follow the pointer, for people and tools that look into the database.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC
from typing import Any, Final

from bson import decode_all, encode
from bson.binary import VECTOR_SUBTYPE, Binary
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import IndexModel, ReplaceOne, UpdateOne
from pymongo.errors import (
    BulkWriteError,
    CollectionInvalid,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)
from pymongo.errors import DuplicateKeyError as DuplicateKeyError  # noqa: PLC0414 — for callers that insert
from pymongo.errors import PyMongoError as PyMongoError  # noqa: PLC0414 — for callers that answer for an outage
from pymongo.write_concern import WriteConcern

from shared.errors import Rejected
from shared.runtime import addresses
from shared.runtime.settings import SharedSettings

# What a database raises that is away, elects or is overloaded; anything else is about what it was given.
OUTAGES: Final = (ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError, WriteConcernError)

Row = dict[str, Any]
Collection = AsyncIOMotorCollection[Row]

_OPTIONS: Final[CodecOptions[Row]] = CodecOptions(tz_aware=True, tzinfo=UTC)
ELECTION: Final = 40.0  # seconds in which a replica set finds a new primary: 10 to 30, and some to spare
_POINTER_SECONDS: Final = 5.0  # how long a worker trusts the generation pointer it read
_AT_ONCE: Final = 4_000  # rows of one insert: while the database works on some, the next are encoded
_DUPLICATE: Final = 11000  # MongoDB's code of a duplicate key
# The wording of OpenSSL and of the driver.
_CERTIFICATE_REFUSED: Final = re.compile(r"certificate verify failed: ([^(\[]{1,200}?) \(")
PROJECTIONS: Final = ("documents", "processing_jobs", "timeline", "chunks", "extractions", "jobs")
TOTALS: Final = "totals"  # what the fold counts; of no interest beside the generation that is live

_LISTED: Final = {"partialFilterExpression": {"deleted": False}}  # what is left of deleted documents is in no list
_INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    "documents": [
        IndexModel([("tenant", 1), ("uploaded_at", -1), ("_id", -1)], **_LISTED),
        IndexModel([("tenant", 1), ("view.status", 1), ("uploaded_at", -1), ("_id", -1)], **_LISTED),
        IndexModel([("tenant", 1), ("batch", 1), ("uploaded_at", -1), ("_id", -1)], **_LISTED),
        IndexModel([("tenant", 1), ("tags", 1), ("uploaded_at", -1), ("_id", -1)], **_LISTED),
        # What a start looks for: few of many.
        IndexModel([("unfinished", 1)], partialFilterExpression={"unfinished": True}),
        IndexModel([("uploaded_at", -1)], partialFilterExpression={"unloaded": True}),
        IndexModel([("searchable_at", 1)], sparse=True),
        IndexModel([("settled.erased", 1)], partialFilterExpression={"settled.erased": True}),
    ],
    "processing_jobs": [IndexModel([("document_id", 1)]), IndexModel([("status", 1), ("type", 1)])],
    "timeline": [],  # found by id, which begins with the document's; an index more is a third of what a replay writes
    "chunks": [IndexModel([("document_id", 1), ("index", 1)])],
    "extractions": [],
    "jobs": [
        IndexModel([("tenant", 1), ("started_at", -1), ("_id", -1)]),
        IndexModel([("due", 1)], sparse=True),
        IndexModel([("tenant", 1)], partialFilterExpression={"unfinished": True}),
    ],
    TOTALS: [],
}
_COORDINATOR_INDEXES: Final = [IndexModel([("active", 1)], partialFilterExpression={"active": True})]
_CONTROL_INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    "leases": [
        IndexModel([("ended", 1), ("expires_at", 1)]),
        IndexModel([("document_id", 1), ("ended", 1)]),
        IndexModel([("slot", 1), ("ended", 1)]),
        IndexModel([("ended_at", 1)], expireAfterSeconds=86_400),
    ],
    "workers": [IndexModel([("expires_at", 1)], expireAfterSeconds=60)],
    "owners": [IndexModel([("expires_at", 1)], expireAfterSeconds=86_400)],  # who has let go for a day is forgotten
    "uploads": [IndexModel([("at", 1)])],
    "idempotency_keys": [IndexModel([("at", 1)])],
    "partial_uploads": [IndexModel([("expires_at", 1)])],
    "upload_parts": [IndexModel([("document_id", 1), ("offset", 1)])],
}


class Mongo:
    """The two databases of one Pagestream installation."""

    def __init__(self, client: "AsyncIOMotorClient[Row]", settings: SharedSettings) -> None:
        self.client = client
        self._pointer: tuple[str | None, float] | None = None
        self.projections = self._database(settings.database)
        self.control = self._database(settings.control_database)

    def _database(self, name: str) -> "AsyncIOMotorDatabase[Row]":
        return self.client.get_database(name, codec_options=_OPTIONS, write_concern=WriteConcern(w="majority"))

    def projection(self, name: str, generation: str) -> Collection:
        """The collection of one projection in one generation."""
        return self.projections[f"{name}_{generation}"]

    @property
    def generations(self) -> Collection:
        """The pointer (`_id` "live") and one row for each generation."""
        return self.projections["generations"]

    @property
    def checkpoints(self) -> Collection:
        """How far each fold has come, beside the data it covers."""
        return self.projections["checkpoints"]

    def coordinator(self, stage: str) -> Collection:
        """The states of one stage's coordinator."""
        return self.projections[f"coordinator_{stage}"]

    async def live_generation(self) -> str | None:
        """The generation that readers read, None before the first fold."""
        pointer = await self.generations.find_one({"_id": "live"})
        return pointer["generation"] if pointer else None

    async def document_status(self, document_id: str) -> tuple[str, int] | None:
        """The status that the live projection shows, and the run that it speaks of; None for an unknown document.

        It may be old: a generation that is replayed, or one that was live a moment ago. The run tells.
        """
        now = time.monotonic()
        if self._pointer is None or now - self._pointer[1] > _POINTER_SECONDS:
            self._pointer = (await self.live_generation(), now)
        generation, _ = self._pointer
        if generation is None:
            return None
        shown = {"view.status": 1, "settled.run": 1}
        row = await self.projection("documents", generation).find_one({"_id": document_id}, shown)
        return (row["view"]["status"], row["settled"]["run"]) if row else None

    async def create_projections(self, generation: str) -> None:
        """Create the collections and indexes of a generation; existing ones stay as they are."""
        for name, indexes in _INDEXES.items():
            await _create(self.projections, f"{name}_{generation}", indexes)

    async def renew_indexes(self, generation: str) -> None:
        """Replace the indexes of a generation, which may be those of an older release."""
        for name in _INDEXES:
            with suppress(OperationFailure):  # there is no such collection
                await self.projection(name, generation).drop_indexes()
        await self.create_projections(generation)

    async def create_coordinator(self, stage: str) -> None:
        """Create the collection and the index of one stage's coordinator; existing ones stay as they are."""
        await _create(self.projections, f"coordinator_{stage}", _COORDINATOR_INDEXES)

    async def point_views(self, generation: str) -> None:
        """Let the plain names show `generation`."""
        for name in PROJECTIONS:
            try:
                await self.projections.command("create", name, viewOn=f"{name}_{generation}", pipeline=[])
            except (CollectionInvalid, OperationFailure):
                await self.projections.command("collMod", name, viewOn=f"{name}_{generation}", pipeline=[])

    async def provision_control(self) -> None:
        """Create the control collections and their indexes."""
        for name, indexes in _CONTROL_INDEXES.items():
            await _create(self.control, name, indexes)


async def _check_certificate(client: "AsyncIOMotorClient[Row]") -> None:
    """A database that is only away is no reason to refuse: it may come back."""
    try:
        await client.admin.command("ping")
    except ServerSelectionTimeoutError as error:
        if reason := _CERTIFICATE_REFUSED.search(str(error)):
            raise Rejected("untrusted", what="The database", detail=reason[1], setting="PAGESTREAM_MONGO") from None


async def _create(database: "AsyncIOMotorDatabase[Row]", name: str, indexes: Sequence[IndexModel]) -> None:
    with suppress(CollectionInvalid):  # it exists
        await database.create_collection(name)
    if indexes:
        await database[name].create_indexes(list(indexes))


async def advance(rows: Collection, found: Sequence[tuple[str, Row]], new: Container[str] = frozenset()) -> None:
    """Upsert rows by id where `version` grows, in one unordered bulk.

    Those in `new` are believed not to be there and are inserted, at a third of the cost; where that was wrong they
    advance like the others.
    """
    there = {row["_id"] for row in await _insert(rows, [{"_id": i, **row} for i, row in found if i in new])}
    operations = [
        UpdateOne({"_id": i, "version": {"$lt": row["version"]}}, {"$set": row}, upsert=True)
        for i, row in found
        if i in there or i not in new
    ]
    if not operations:
        return
    try:
        await rows.bulk_write(operations, ordered=False)
    except BulkWriteError as error:
        _only_duplicates(error)


def canonical(row: Row) -> bytes:
    """The row's bytes, the same for equal rows whose keys stand in the same order."""
    return encode(row)


def vector(float32: bytes) -> Binary:
    """Little-endian float32 values as a BSON vector (binary subtype 9, element type 0x27, no padding)."""
    return Binary(b"\x27\x00" + float32, VECTOR_SUBTYPE)


def float32(stored: Binary) -> bytes:
    """The float32 values of a BSON vector."""
    return bytes(stored)[2:]


def size_of(row: Row) -> int:
    """How many bytes the database keeps of a row. Raises what it would raise of a row that it cannot take."""
    return len(encode(row))


async def replace(rows: Collection, found: Sequence[Row]) -> None:
    """Put rows that carry their own ids, whatever stood there."""
    if found:
        await rows.bulk_write([ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in found], ordered=False)


async def change(rows: Collection, changes: Sequence[tuple[Row, Row]]) -> None:
    """Update the row that each query finds with operators such as `$set`; where there is none it is no error."""
    if changes:
        await rows.bulk_write([UpdateOne(query, operators) for query, operators in changes], ordered=False)


async def add(rows: Collection, found: Sequence[Row]) -> None:
    """Insert rows that carry their own ids, each another; those that exist stay as they are. In no order."""
    await asyncio.gather(*(_insert(rows, found[at : at + _AT_ONCE]) for at in range(0, len(found), _AT_ONCE)))


async def _insert(rows: Collection, found: Sequence[Row]) -> list[Row]:
    """Insert rows that carry their own ids; those whose id exists come back."""
    try:
        if found:
            await rows.insert_many(found, ordered=False)
    except BulkWriteError as error:
        _only_duplicates(error)
        return [found[problem["index"]] for problem in error.details["writeErrors"]]
    return []


async def raw_batches(rows: Collection, columns: Sequence[str], at_once: int) -> AsyncIterator[tuple[bytes, int]]:
    """All rows with these columns (all of them for none) as BSON, one after another, and how many; in no order.

    Rows that are added or changed meanwhile may come as they were or as they are. Raises the driver's errors.
    """
    found = rows.find_raw_batches({}, dict.fromkeys(columns, 1) if columns else None, batch_size=at_once)
    async for batch in found:
        yield batch, sum(1 for _ in _cut(batch))


def rows_of(data: bytes) -> list[Row]:
    """BSON rows, one after another, as dictionaries."""
    return decode_all(data, _OPTIONS)


async def add_raw(rows: Collection, data: bytes) -> None:
    """As `add`, for BSON rows one after another, which are not decoded for it."""
    await add(rows, [RawBSONDocument(one) for one in _cut(data)])  # type: ignore[misc]  # a mapping that is not changed


def _cut(data: bytes) -> Iterator[bytes]:
    """Each row's bytes: it begins with its length."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        yield data[at : at + length]
        at += length


def under(document_ids: Iterable[str]) -> Row:
    """The query for rows of these documents where ids are made as "document/…"."""
    return {"$or": [{"_id": {"$gt": f"{i}/", "$lt": f"{i}0"}} for i in document_ids]}  # "0" follows "/"


def _only_duplicates(error: BulkWriteError) -> None:
    if any(problem["code"] != _DUPLICATE for problem in error.details["writeErrors"]):
        raise error


@asynccontextmanager
async def connect(
    settings: SharedSettings, patience: float = 10.0, *, within: float | None = None
) -> AsyncIterator[Mongo]:
    """A connection that is closed on leaving; without TLS nothing is sent before the first call.

    `patience`: seconds for which a call waits for a primary before it raises; ELECTION for callers that can wait.
    `within`: seconds for one call, and for all the work of a list; the database itself ends what takes longer.

    Raises Rejected("untrusted") for a database whose certificate is not trusted.
    """
    client: AsyncIOMotorClient[Row] = AsyncIOMotorClient(
        settings.mongo,
        serverSelectionTimeoutMS=round(patience * 1000),
        timeoutMS=round(within * 1000) if within else None,
        appname="pagestream",
    )
    try:
        if addresses.mongo_has_tls(settings.mongo):
            await _check_certificate(client)
        yield Mongo(client, settings)
    finally:
        client.close()
