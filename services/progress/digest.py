"""A digest over everything that a rebuild must reproduce: settled states and results, whatever the generation.

Left out is what is not settled: the epoch, estimates, ticks and the percent floor, and how the log was cut in batches;
and the jobs that report rebuilds, of which each rebuild adds one.
"""

from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any, Final

from shared.mongo import PROJECTIONS, Mongo, Row, canonical

_UNSETTLED: Final[Mapping[str, frozenset[str]]] = {
    "documents": frozenset({"view", "live", "version", "loaded", "slices", "offset"}),
    "processing_jobs": frozenset({"version", "percent", "message"}),
    "jobs": frozenset({"view", "live", "due", "version", "offset"}),
}

_WITHOUT: Final[Mapping[str, Row]] = {"jobs": {"_id": {"$not": {"$regex": "^rebuild-"}}}}  # each rebuild adds one


async def of_generation(mongo: Mongo, generation: str) -> dict[str, str]:
    """One SHA-256 for each collection, over its rows in the order of their ids."""
    return {name: await _of_collection(mongo, name, generation) for name in PROJECTIONS}


async def differences(mongo: Mongo, one: str, other: str) -> list[str]:
    """The ids of rows that are not the same in both generations, as "collection/id"."""
    return [f"{name}/{i}" for name in PROJECTIONS async for i in _unequal(mongo, name, one, other)]


async def _unequal(mongo: Mongo, name: str, one: str, other: str) -> AsyncIterator[str]:
    """Walks both collections side by side, so that their size is no matter."""
    lefts, rights = _rows(mongo, name, one), _rows(mongo, name, other)
    left, right = await anext(lefts, None), await anext(rights, None)
    while left or right:
        first = min(row["_id"] for row in (left, right) if row)
        here = left if left and left["_id"] == first else None
        there = right if right and right["_id"] == first else None
        if here is None or there is None or _settled(name, here) != _settled(name, there):
            yield first
        left = await anext(lefts, None) if here else left
        right = await anext(rights, None) if there else right


def combined(digests: dict[str, str]) -> str:
    """One digest over all collections."""
    return sha256(repr(sorted(digests.items())).encode()).hexdigest()


async def _of_collection(mongo: Mongo, name: str, generation: str) -> str:
    digest = sha256()
    async for row in _rows(mongo, name, generation):
        digest.update(canonical(_settled(name, row)))
    return digest.hexdigest()


def _rows(mongo: Mongo, name: str, generation: str) -> AsyncIterator[Row]:
    rows: AsyncIterator[Row] = mongo.projection(name, generation).find(_WITHOUT.get(name, {})).sort("_id", 1)
    return rows


def _settled(name: str, row: Row) -> dict[str, Any]:
    left_out = _UNSETTLED.get(name, frozenset())
    settled = {column: row[column] for column in sorted(row) if column not in left_out}
    if settled.get("status") == "stalled":  # as long as no tick says otherwise
        settled["status"] = "running"
    return settled
