"""Brings the rows that an older release wrote into the shape of this one, once, before its fold goes on.

What the older release did not write is made of what it did. Views are rendered anew: fields that are new in them are
there, and what readers were shown is the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from services.progress.projection import document_row, job_row, stored_results
from shared.runtime import logs
from shared.runtime.batches import in_batches
from shared.storage import mongo
from shared.storage.mongo import Collection, Mongo, Row

log = logs.get(__name__)

_AT_ONCE: Final = 1_000  # rows


async def migrate(database: Mongo, generation: str) -> None:
    """Give every row what this release looks for, and the collections their indexes. Done twice it is the same."""
    log.info("the projection of another release is brought up to date", generation=generation)
    await database.renew_indexes(generation)
    await _each(database.projection("documents", generation), partial(_document, generation=generation))
    await _each(database.projection("jobs", generation), _job)


def _document(row: Row, generation: str) -> Row:
    found = document_row.from_row(row)
    loaded, wanted = row.get("loaded", {}), stored_results.wanted(found.state)
    shown = {"view": document_row.to_row(found, generation)["view"]}
    changes: Row = {"$set": {**document_row.marks(found), **shown, "unloaded": not row["deleted"] and loaded != wanted}}
    if loaded:
        changes["$currentDate"] = {"searchable_at": True}
    return changes


def _job(row: Row) -> Row:
    return {"$set": job_row.marks(job_row.from_row(row))}


async def _each(rows: Collection, change_of: Callable[[Row], Row]) -> None:
    async for some in in_batches(rows.find({}), _AT_ONCE):
        await mongo.change(rows, [({"_id": row["_id"]}, change_of(row)) for row in some])
