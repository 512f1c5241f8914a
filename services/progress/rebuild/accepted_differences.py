"""Differences between a live projection and a rebuilt one that are none.

A projector that died between its rows and its checkpoint left rows that hold more of the log than the checkpoint.
A generation that stops at the checkpoint differs from them and is right all the same; which of the two is live does not
matter, since a rollback goes to the generation whose projector died. And what is still stored of a deleted document is
on its way out: it goes as soon as no worker is at work on the document.
"""

from collections.abc import Sequence
from typing import Final

from shared.events.envelope import VERSIONS_PER_FACT
from shared.kafka import partition_reader, topics
from shared.projecting.checkpoint import Positions
from shared.storage.mongo import Mongo

_MAX_SHOWN: Final = 100_000  # rows; a batch is written at once, and these are more than its records make


async def explained(mongo: Mongo, live: str, new: str, barrier: Positions, differences: Sequence[str]) -> set[str]:
    """Those of `differences` ("collection/id") which do not show an error of `new`; both stopped at `barrier`."""
    if len(differences) > _MAX_SHOWN:
        return set()
    ids: dict[str, set[str]] = {}
    for difference in differences:
        name, _, i = difference.partition("/")
        ids.setdefault(name, set()).add(i)
        ids.setdefault("jobs" if name == "jobs" else "documents", set()).add(_key(i))
    beyond, deleted = await _looked_at(mongo, live, barrier, ids)
    beyond |= (await _looked_at(mongo, new, barrier, ids))[0]
    return {
        difference
        for difference in differences
        if (key := _key(difference.partition("/")[2])) in beyond
        or (key in deleted and not difference.startswith("documents/"))
    }


async def _looked_at(
    mongo: Mongo, generation: str, barrier: Positions, ids: dict[str, set[str]]
) -> tuple[set[str], set[str]]:
    """The documents and jobs that have rows beyond `barrier`, and the documents that are deleted."""
    partitions = sum(place.topic == topics.DOCUMENTS for place in barrier)
    beyond: set[str] = set()
    deleted: set[str] = set()
    facts: dict[str, int] = {}
    for name in ("documents", "jobs", "timeline"):  # a row of these holds the offset of the record that was folded last
        wanted = {"_id": {"$in": sorted(ids.get(name, ()))}}
        async for row in mongo.projection(name, generation).find(wanted, {"offset": 1, "version": 1, "deleted": 1}):
            key = _key(row["_id"])
            if row["offset"] >= barrier[partition_reader.place_of(topics.DOCUMENTS, key, partitions)]:
                beyond.add(key)
            if name == "documents":
                facts[key] = row["version"] // VERSIONS_PER_FACT
                deleted |= {key} if row.get("deleted") else set()
    wanted = {"_id": {"$in": sorted(ids.get("processing_jobs", ()))}}
    async for row in mongo.projection("processing_jobs", generation).find(wanted, {"version": 1}):
        key = _key(row["_id"])
        if row["version"] // VERSIONS_PER_FACT > facts.get(key, 0):
            beyond.add(key)
    return beyond, deleted


def _key(row_id: str) -> str:
    """The document or job that a row is about."""
    return row_id.partition("/")[0]
