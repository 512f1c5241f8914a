"""Which documents the search index holds, under which numbers, and what they can be narrowed to. A SQLite file.

Nothing is durable before `commit`, which follows when words and vectors are: after a crash the file names no document
that they do not have, but they may have some that it does not name.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from services.gateway.search.narrowing import Narrowing

_TABLES: Final = """
    create table if not exists tenants (number integer primary key, name text unique);
    create table if not exists documents (
        number integer primary key, id text unique, tenant integer, result text, chunks integer, batch text, kind text,
        uploaded_at real, generation text
    );
    create index if not exists by_time on documents (tenant, uploaded_at);
    create index if not exists by_batch on documents (tenant, batch);
    create index if not exists by_generation on documents (generation);
    create table if not exists tags (tag text, document integer, primary key (tag, document)) without rowid;
    create index if not exists tags_of on tags (document);
    create table if not exists position (one integer primary key check (one = 1), generation text, at real);
"""


class Entry(NamedTuple):
    """A document in the index. `result` is the name of what its chunks came from: another one has other chunks."""

    document_id: str
    tenant: str
    result: str
    chunks: int
    batch: str | None = None
    tags: tuple[str, ...] = ()
    kind: str | None = None
    uploaded_at: datetime = datetime.min.replace(tzinfo=UTC)


class Known(NamedTuple):
    """What the index holds of a document, and under which numbers."""

    number: int
    tenant: int
    result: str
    chunks: int
    kind: str | None


class Position(NamedTuple):
    """How far the index has followed a generation of the projection: up to a change at that moment."""

    generation: str
    at: datetime


class Catalog:
    """The file of one index; used by one thread."""

    def __init__(self, file: Path) -> None:
        self._rows = sqlite3.connect(file)
        self._rows.executescript(_TABLES)

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        """Those of `ids` that the index holds."""
        wanted = (
            "select id, number, tenant, result, chunks, kind from documents"
            " where id in (select value from json_each(?))"
        )
        return {row[0]: Known(*row[1:]) for row in self._rows.execute(wanted, (json.dumps(list(ids)),))}

    def names(self, numbers: Iterable[int]) -> dict[int, str]:
        """The ids of documents, by number."""
        wanted = "select number, id from documents where number in (select value from json_each(?))"
        return dict(self._rows.execute(wanted, (json.dumps(list(numbers)),)).fetchall())

    def tenant(self, name: str) -> int:
        """The number of a tenant, a new one where it has none."""
        row = self._rows.execute("select number from tenants where name = ?", (name,)).fetchone()
        if row is None:
            return int(self._rows.execute("insert into tenants (name) values (?)", (name,)).lastrowid or 0)
        return int(row[0])

    def put(self, entry: Entry, generation: str) -> Known:
        """Note that the index holds the document, which it did not."""
        tenant = self.tenant(entry.tenant)
        number = self._rows.execute(
            "insert into documents (id, tenant, result, chunks, batch, kind, uploaded_at, generation)"
            " values (?, ?, ?, ?, ?, ?, ?, ?) returning number",
            (entry.document_id, tenant, entry.result, entry.chunks, entry.batch, entry.kind,
             entry.uploaded_at.timestamp(), generation),
        ).fetchone()[0]  # fmt: skip
        self._rows.executemany("insert or ignore into tags values (?, ?)", [(tag, number) for tag in entry.tags])
        return Known(number, tenant, entry.result, entry.chunks, entry.kind)

    def remove(self, ids: Sequence[str]) -> list[Known]:
        """Forget documents; what was known of them."""
        gone = list(self.known(ids).values())
        numbers = [(known.number,) for known in gone]
        self._rows.executemany("delete from tags where document = ?", numbers)
        self._rows.executemany("delete from documents where number = ?", numbers)
        return gone

    def see(self, ids: Sequence[str], generation: str) -> None:
        """Note that the documents are in a generation of the projection."""
        seen = [(generation, i) for i in ids]
        self._rows.executemany("update documents set generation = ? where id = ?", seen)

    def unseen(self, generation: str, limit: int) -> list[str]:
        """At most `limit` documents that were not seen in the generation."""
        wanted = "select id from documents where generation <> ? limit ?"
        return [row[0] for row in self._rows.execute(wanted, (generation, limit))]

    def narrowed(self, tenant: int, to: Narrowing) -> list[tuple[int, int]]:
        """The documents of a tenant that have all of it: number and count of chunks."""
        conditions, values = ["tenant = ?"], list[Any]([tenant])
        given = (("batch = ?", to.batch), ("kind = ?", to.kind), ("uploaded_at >= ?", _seconds(to.since)),
                 ("uploaded_at <= ?", _seconds(to.until)))  # fmt: skip
        for condition, value in given:
            if value is not None:
                conditions.append(condition)
                values.append(value)
        for tag in to.tags:
            conditions.append("number in (select document from tags where tag = ?)")
            values.append(tag)
        wanted = "select number, chunks from documents where " + " and ".join(conditions)  # noqa: S608 — constants all
        return self._rows.execute(wanted, values).fetchall()

    def count(self) -> int:
        """How many documents the index holds."""
        return int(self._rows.execute("select count(*) from documents").fetchone()[0])

    def highest(self) -> int:
        """The highest number of any document."""
        return int(self._rows.execute("select coalesce(max(number), 0) from documents").fetchone()[0])

    @property
    def position(self) -> Position | None:
        """How far the index has come; None before its first whole pass."""
        row = self._rows.execute("select generation, at from position").fetchone()
        return Position(row[0], datetime.fromtimestamp(row[1], UTC)) if row else None

    @position.setter
    def position(self, position: Position) -> None:
        values = (position.generation, position.at.timestamp())
        self._rows.execute("insert or replace into position values (1, ?, ?)", values)

    def commit(self) -> None:
        """Make everything so far durable."""
        self._rows.commit()

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        self._rows.close()


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at else None
