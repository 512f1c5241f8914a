"""A digest over everything that a rebuild must reproduce: settled states and results, whatever the generation.

Left out is what is not settled: the epoch, estimates, ticks and the percent floor.
"""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any, Final

from shared.mongo import PROJECTIONS, Mongo, Row, canonical

_UNSETTLED: Final = frozenset({"view", "live", "due", "version", "loaded", "percent", "message", "slices"})


async def of_generation(mongo: Mongo, generation: str) -> dict[str, str]:
    """One SHA-256 for each collection, over its rows in the order of their ids."""
    return {name: await _of_collection(mongo, name, generation) for name in PROJECTIONS}


async def differences(mongo: Mongo, one: str, other: str) -> list[str]:
    """The ids of rows that are not the same in both generations, as "collection/id"."""
    found = []
    for name in PROJECTIONS:
        left = {row["_id"]: _settled(name, row) async for row in _rows(mongo, name, one)}
        right = {row["_id"]: _settled(name, row) async for row in _rows(mongo, name, other)}
        found += [f"{name}/{i}" for i in sorted(left.keys() | right.keys()) if left.get(i) != right.get(i)]
    return found


def combined(digests: dict[str, str]) -> str:
    """One digest over all collections."""
    return sha256(repr(sorted(digests.items())).encode()).hexdigest()


async def _of_collection(mongo: Mongo, name: str, generation: str) -> str:
    digest = sha256()
    async for row in _rows(mongo, name, generation):
        digest.update(canonical(_settled(name, row)))
    return digest.hexdigest()


def _rows(mongo: Mongo, name: str, generation: str) -> AsyncIterator[Row]:
    rows: AsyncIterator[Row] = mongo.projection(name, generation).find().sort("_id", 1)
    return rows


def _settled(name: str, row: Row) -> dict[str, Any]:
    left_out = _UNSETTLED if name in ("documents", "processing_jobs") else frozenset()
    return {column: row[column] for column in sorted(row) if column not in left_out}
