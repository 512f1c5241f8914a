"""A database in memory with MongoDB's semantics as far as the project uses them, and with its anomalies.

A command takes effect when it is sent or when its answer arrives; its answer may be late; the primary may be away. The
driver tries single writes again by itself, so they take effect once; those that it does not try again may have taken
effect when they fail.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from bson import decode, encode
from bson.codec_options import CodecOptions
from pymongo import IndexModel, ReplaceOne, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    CollectionInvalid,
    DocumentTooLarge,
    DuplicateKeyError,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from tests.simulation import query
from tests.simulation.query import Row
from tests.simulation.scheduler import EPOCH, Scheduler, loop

_AWARE: Final[CodecOptions[dict[str, Any]]] = CodecOptions(tz_aware=True, tzinfo=UTC)
_MAX_ROWS: Final = 16 * 1024 * 1024  # bytes of a row
_DUPLICATE: Final = 11000


class Kept(NamedTuple):
    """A row as it is stored, and decoded for whoever only looks."""

    raw: bytes
    row: Row


class Server:
    """The one database server of a world. `weather` says what goes wrong with it."""

    def __init__(self, weather: "Weather | None" = None) -> None:
        self.weather = weather or Weather()
        self.away_until = 0.0
        self.tables: dict[tuple[str, str], dict[Any, Kept]] = {}
        self.expiry: dict[tuple[str, str], tuple[str, float]] = {}

    def now(self) -> datetime:
        moment = datetime.fromtimestamp(EPOCH + loop().now, UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def table(self, database: str, name: str) -> dict[Any, Kept]:
        return self.tables.setdefault((database, name), {})

    def rows(self, database: str, name: str) -> list[Row]:
        """What is stored, for whoever checks it."""
        return [kept.row for kept in self.tables.get((database, name), {}).values()]

    def drop(self, database: str) -> None:
        """Drop a whole database."""
        for place in [place for place in self.tables if place[0] == database]:
            del self.tables[place]

    def expire(self) -> None:
        """Remove what its index says is too old, as the server does every minute."""
        now = self.now()
        for place, (field, seconds) in self.expiry.items():
            limit = now - timedelta(seconds=seconds)
            for i, kept in list(self.tables.get(place, {}).items()):
                at = kept.row.get(field)
                if isinstance(at, datetime) and at < limit:
                    del self.tables[place][i]


class Weather:
    """How long answers take and what goes wrong; `draw` is the world's source of chance."""

    slow = 0.0  # the share of answers that take seconds
    broken = 0.0  # the share of commands whose connection breaks
    torn = 0.0  # the share of bulks that take effect in two parts

    def latency(self, random: Any) -> float:
        if self.slow and random.random() < self.slow:
            return float(random.uniform(0.5, 4.0))
        return float(0.0005 + 0.004 * random.random())


class Client:
    """What `AsyncIOMotorClient` is to the project."""

    def __init__(self, server: Server, patience: float = 30.0) -> None:
        self.server = server
        self.patience = patience  # seconds until a command without a primary fails
        self.admin = SimpleNamespace(command=self._command)

    def get_database(self, name: str, **_: Any) -> "Database":
        return Database(self, name)

    def __getitem__(self, name: str) -> "Database":
        return Database(self, name)

    async def drop_database(self, name: str) -> None:
        await self.ask(lambda: self.server.drop(name))

    def close(self) -> None:
        pass

    async def _command(self, name: str) -> Row:
        assert name == "ping"
        await self.ask(lambda: None)
        return {"ok": 1.0}

    async def ask(self, effect: Callable[[], Any], *, tried_again: bool = True) -> Any:
        """Let a command take effect once, at some moment, and answer later. Raises the driver's errors."""
        world = loop()
        await world.world.faults.called()
        server, draw = self.server, world.random.random
        if server.away_until > world.now:
            await self._primary(world)
        weather = server.weather
        if weather.broken and draw() < weather.broken:
            return await self._broken(effect, tried_again=tried_again)
        latency = weather.latency(world.random)
        if draw() < 0.5:
            answer = _answered(effect)
            await world.world.faults.called()
            await asyncio.sleep(latency)
        else:
            wire = world.create_future()
            world.call_for(world.outside, world.now + latency, _arrive, wire, effect)
            answer = await wire
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _primary(self, world: Scheduler) -> None:
        """Wait for an election to end, as long as the driver does."""
        wait = self.server.away_until - world.now
        if wait > self.patience:
            await asyncio.sleep(self.patience)
            if self.server.away_until > world.now:
                raise ServerSelectionTimeoutError("no primary")
        else:
            await asyncio.sleep(wait + world.random.random() * 0.5)

    async def _broken(self, effect: Callable[[], Any], *, tried_again: bool) -> Any:
        world = loop()
        happened = world.random.random() < 0.5
        answer = _answered(effect) if happened else None
        await asyncio.sleep(world.random.random() * 0.5)
        if not tried_again:
            raise AutoReconnect("connection closed")
        if not happened:
            answer = _answered(effect)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _answered(effect: Callable[[], Any]) -> Any:
    try:
        return effect()
    except (OperationFailure, DocumentTooLarge, CollectionInvalid) as error:
        return error


def _arrive(wire: "asyncio.Future[Any]", effect: Callable[[], Any]) -> None:
    answer = _answered(effect)  # on the wire already, whether or not anybody lives to hear the answer
    if not wire.done():
        wire.set_result(answer)


class Database:
    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name

    def __getitem__(self, name: str) -> "Collection":
        return Collection(self._client, self.name, name)

    async def create_collection(self, name: str) -> None:
        def create() -> None:
            if (self.name, name) in self._client.server.tables:
                raise CollectionInvalid(f"collection {name} already exists")
            self._client.server.table(self.name, name)

        await self._client.ask(create)

    async def command(self, kind: str, name: str, **_: Any) -> None:
        """Views are for people: the command is accepted and changes nothing that the project reads."""
        assert kind in ("create", "collMod"), kind
        await self._client.ask(lambda: None)


class Cursor:
    """Rows in the order asked for; read when the first is asked for."""

    def __init__(self, read: Callable[["Cursor"], Any]) -> None:
        self._read = read
        self.keys: Sequence[tuple[str, int]] = ()
        self.most: int | None = None
        self._rows: list[Row] | None = None

    def sort(self, key: str | Sequence[tuple[str, int]], direction: int = 1) -> "Cursor":
        self.keys = [(key, direction)] if isinstance(key, str) else list(key)
        return self

    def limit(self, most: int) -> "Cursor":
        self.most = most
        return self

    def batch_size(self, rows: int) -> "Cursor":
        return self

    def __aiter__(self) -> AsyncIterator[Row]:
        return self

    async def __anext__(self) -> Row:
        if self._rows is None:
            self._rows = list(reversed(await self._read(self)))
        if not self._rows:
            raise StopAsyncIteration
        return self._rows.pop()


class Collection:
    """What a motor collection is to the project."""

    def __init__(self, client: Client, database: str, name: str) -> None:
        self._client = client
        self._server = client.server
        self._place = (database, name)
        self.name = name

    # ---- reading

    def find(self, wanted: Mapping[str, Any] | None = None, fields: Mapping[str, Any] | None = None) -> Cursor:
        async def read(cursor: Cursor) -> list[Row]:
            found: list[Row] = await self._client.ask(lambda: self._select(wanted or {}, fields, cursor))
            return found

        return Cursor(read)

    def find_raw_batches(
        self, _: Mapping[str, Any], fields: Mapping[str, Any] | None = None, *, batch_size: int
    ) -> AsyncIterator[bytes]:
        """All rows; those that come or change between two batches come as they are then."""

        async def batches() -> AsyncIterator[bytes]:
            seen: set[Any] = set()

            def some() -> bytes:
                found = [row for row in self._found({}) if row["_id"] not in seen][:batch_size]
                seen.update(row["_id"] for row in found)
                return b"".join(encode(query.projected(row, fields) if fields else row) for row in found)

            while batch := await self._client.ask(some):
                yield batch

        return batches()

    async def find_one(
        self,
        wanted: Mapping[str, Any] | None = None,
        fields: Mapping[str, Any] | None = None,
        sort: Sequence[tuple[str, int]] = (),
    ) -> Row | None:
        def find() -> Row | None:
            found = self._found(wanted or {})
            if sort:
                found = query.ordered(found, sort)
            return _copy(query.projected(found[0], fields)) if found else None

        answer: Row | None = await self._client.ask(find)
        return answer

    async def distinct(self, path: str, wanted: Mapping[str, Any]) -> list[Any]:
        def read() -> list[Any]:
            return list({value: None for row in self._found(wanted) for value in query.values(row, path)})

        found: list[Any] = await self._client.ask(read)
        return found

    async def count_documents(self, wanted: Mapping[str, Any]) -> int:
        return int(await self._client.ask(lambda: len(self._found(wanted))))

    def aggregate(self, steps: Sequence[Row]) -> Cursor:
        async def read(_: Cursor) -> list[Row]:
            def run() -> list[Row]:
                rows = [kept.row for kept in self._table.values()]
                return [_copy(row) for row in query.aggregated(rows, steps, self._server.now())]

            found: list[Row] = await self._client.ask(run)
            return found

        return Cursor(read)

    # ---- writing

    async def insert_one(self, row: Row) -> None:
        await self._client.ask(lambda: self._insert(row))

    async def insert_many(self, rows: Sequence[Row], *, ordered: bool = True) -> None:
        def operation(row: Row) -> Callable[[], Any]:
            return lambda: self._insert(row)

        await self._in_bulk([operation(row) for row in rows], ordered=ordered)

    async def update_one(self, wanted: Mapping[str, Any], change: Any, *, upsert: bool = False) -> Any:
        return await self._client.ask(lambda: self._update(wanted, change, upsert=upsert))

    async def update_many(self, wanted: Mapping[str, Any], change: Any) -> Any:
        def update() -> Any:
            done = [self._change(row, change) for row in self._found(wanted)]
            return SimpleNamespace(matched_count=len(done), modified_count=sum(done))

        return await self._client.ask(update, tried_again=False)

    async def replace_one(self, wanted: Mapping[str, Any], row: Row, *, upsert: bool = False) -> Any:
        return await self._client.ask(lambda: self._replace(wanted, row, upsert=upsert))

    async def find_one_and_update(
        self, wanted: Mapping[str, Any], change: Any, *, upsert: bool = False, return_document: bool = False
    ) -> Row | None:
        def update() -> Row | None:
            found = self._found(wanted)
            before = found[0] if found else None
            done = self._update(wanted, change, upsert=upsert)
            if not return_document:
                return _copy(before) if before else None
            i = before["_id"] if before else done.upserted_id
            return _copy(self._table[i].row) if i is not None else None

        answer: Row | None = await self._client.ask(update)
        return answer

    async def delete_one(self, wanted: Mapping[str, Any]) -> Any:
        return await self._client.ask(lambda: self._delete(wanted, most=1))

    async def delete_many(self, wanted: Mapping[str, Any]) -> Any:
        return await self._client.ask(lambda: self._delete(wanted), tried_again=False)

    async def bulk_write(self, operations: Sequence[UpdateOne | ReplaceOne[Any]], *, ordered: bool = True) -> None:
        def operation(one: Any) -> Callable[[], Any]:
            do = self._update if isinstance(one, UpdateOne) else self._replace
            return lambda: do(one._filter, one._doc, upsert=bool(one._upsert))

        await self._in_bulk([operation(one) for one in operations], ordered=ordered)

    async def drop(self) -> None:
        await self._client.ask(lambda: self._server.tables.pop(self._place, None))

    async def create_indexes(self, indexes: Sequence[IndexModel]) -> None:
        for index in indexes:
            after = index.document.get("expireAfterSeconds")
            if after is not None:
                self._server.expiry[self._place] = (next(iter(index.document["key"])), after)
        await self._client.ask(lambda: self._table)

    async def create_index(self, keys: Sequence[tuple[str, int]]) -> None:
        await self._client.ask(lambda: self._table)

    # ---- what takes effect

    @property
    def _table(self) -> dict[Any, Kept]:
        return self._server.table(*self._place)

    def _found(self, wanted: Mapping[str, Any]) -> list[Row]:
        table, now = self._server.tables.get(self._place, {}), self._server.now()
        i = wanted.get("_id", query.MISSING)
        if isinstance(i, str):
            candidates = [table[i].row] if i in table else []
        elif isinstance(i, dict) and i.keys() == {"$in"}:
            candidates = [table[one].row for one in dict.fromkeys(i["$in"]) if one in table]
        else:
            candidates = [kept.row for kept in table.values()]
        return [row for row in candidates if query.matches(row, wanted, now)]

    def _select(self, wanted: Mapping[str, Any], fields: Mapping[str, Any] | None, cursor: Cursor) -> list[Row]:
        found = self._found(wanted)
        if cursor.keys:
            found = query.ordered(found, cursor.keys)
        if cursor.most:
            found = found[: cursor.most]
        if not fields:
            return [decode(self._table[row["_id"]].raw, _AWARE) for row in found]
        return [_copy(query.projected(row, fields)) for row in found]

    def _keep(self, row: Row) -> None:
        raw = encode(row)
        if len(raw) > _MAX_ROWS:
            raise DocumentTooLarge(f"BSON document too large ({len(raw)} bytes)")
        self._table[row["_id"]] = Kept(raw, decode(raw, _AWARE))

    def _insert(self, row: Row) -> None:
        if row["_id"] in self._table:
            raise DuplicateKeyError(f"E11000 duplicate key error: {row['_id']}", _DUPLICATE)
        self._keep({"_id": row["_id"], **row})

    def _change(self, row: Row, change: Any) -> bool:
        after = query.updated(row, change, self._server.now())
        if after == row:
            return False
        self._keep(after)
        return True

    def _update(self, wanted: Mapping[str, Any], change: Any, *, upsert: bool = False) -> Any:
        found = self._found(wanted)
        if found:
            return SimpleNamespace(
                matched_count=1, modified_count=int(self._change(found[0], change)), upserted_id=None
            )
        if not upsert:
            return SimpleNamespace(matched_count=0, modified_count=0, upserted_id=None)
        row = query.updated(query.seed_of(wanted), change, self._server.now())
        self._insert(row)
        return SimpleNamespace(matched_count=0, modified_count=0, upserted_id=row["_id"])

    def _replace(self, wanted: Mapping[str, Any], row: Row, *, upsert: bool = False) -> Any:
        found = self._found(wanted)
        if found:
            self._keep({"_id": found[0]["_id"], **row})
        elif upsert:
            self._insert({**query.seed_of({"_id": wanted["_id"]}), **row})
        return SimpleNamespace(matched_count=int(bool(found)), modified_count=int(bool(found)))

    def _delete(self, wanted: Mapping[str, Any], most: int | None = None) -> Any:
        found = self._found(wanted)[:most]
        for row in found:
            del self._table[row["_id"]]
        return SimpleNamespace(deleted_count=len(found))

    async def _in_bulk(self, operations: Sequence[Callable[[], Any]], *, ordered: bool) -> None:
        places = list(enumerate(operations))
        random = loop().random
        if not ordered:
            random.shuffle(places)
        parts = [places]
        if len(places) > 1 and random.random() < self._server.weather.torn:
            cut = random.randrange(1, len(places))
            parts = [places[:cut], places[cut:]]
        errors: list[Row] = []
        for part in parts:
            errors += await self._client.ask(lambda part=part: _each(part, ordered=ordered))
            if errors and ordered:
                break
        if errors:
            raise BulkWriteError({"writeErrors": sorted(errors, key=lambda error: error["index"])})


def _each(operations: Sequence[tuple[int, Callable[[], Any]]], *, ordered: bool) -> list[Row]:
    errors: list[Row] = []
    for index, operation in operations:
        answer = _answered(operation)
        if isinstance(answer, DocumentTooLarge):
            errors.append({"index": index, "code": 10334, "errmsg": str(answer)})
        elif isinstance(answer, OperationFailure):
            errors.append({"index": index, "code": answer.code or 0, "errmsg": str(answer)})
        if errors and ordered:
            break
    return errors


def _copy(row: Row) -> Row:
    copied: Row = decode(encode(row), _AWARE)
    return copied
