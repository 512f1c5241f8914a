"""Which documents a live projection has written beyond its checkpoint.

One that died between its rows and its checkpoint left rows that hold more of the log than the checkpoint says. Another
generation, which stops at the checkpoint, differs from them and is right all the same.
"""

from collections.abc import Sequence
from typing import Final

from shared import reading, topics
from shared.folding import Positions
from shared.mongo import Mongo

_FACT: Final = 1_000_000  # of a version; what is less are ticks
_MOST: Final = 100_000  # rows; a batch is written at once, and these are more than its records make


async def ahead(mongo: Mongo, generation: str, barrier: Positions, differences: Sequence[str]) -> set[str]:
    """The documents and jobs among `differences` ("collection/id") of which `generation` has rows beyond `barrier`."""
    if len(differences) > _MOST:
        return set()
    partitions = sum(place.topic == topics.DOCUMENTS for place in barrier)
    ids: dict[str, set[str]] = {}
    for difference in differences:
        name, _, i = difference.partition("/")
        ids.setdefault(name, set()).add(i)
        ids.setdefault("jobs" if name == "jobs" else "documents", set()).add(i.partition("/")[0])
    found: set[str] = set()
    facts: dict[str, int] = {}
    for name in ("documents", "jobs", "timeline"):  # a row of these says which record was folded last
        wanted = {"_id": {"$in": sorted(ids.get(name, ()))}}
        async for row in mongo.projection(name, generation).find(wanted, {"offset": 1, "version": 1}):
            key = row["_id"].partition("/")[0]
            if row["offset"] >= barrier[reading.place_of(topics.DOCUMENTS, key, partitions)]:
                found.add(key)
            if name == "documents":
                facts[key] = row["version"] // _FACT
    wanted = {"_id": {"$in": sorted(ids.get("processing_jobs", ()))}}
    async for row in mongo.projection("processing_jobs", generation).find(wanted, {"version": 1}):
        key = row["_id"].partition("/")[0]
        if row["version"] // _FACT > facts.get(key, 0):
            found.add(key)
    return found
