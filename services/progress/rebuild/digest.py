"""A digest over everything that a rebuild must reproduce: settled states and results, whatever the generation.

Left out is what is not settled: the epoch, estimates, ticks and the percent floor, and how the log was cut in batches;
the jobs that report rebuilds, of which each rebuild adds one; and fields of a document's state that have their default,
since a row of before the field was there lacks it.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from shared.document import codec
from shared.events.standalone_job import JobState
from shared.storage.mongo import PROJECTIONS, Mongo, Row, canonical

_UNSETTLED: Final[Mapping[str, frozenset[str]]] = {
    "documents": frozenset(
        {"view", "live", "version", "loaded", "unloaded", "searchable_at", "counted", "slices", "offset"}
    ),
    "processing_jobs": frozenset({"version", "percent", "message"}),
    "jobs": frozenset({"view", "live", "due", "version", "offset"}),
}

_WITHOUT: Final[Mapping[str, Row]] = {"jobs": {"_id": {"$not": {"$regex": "^rebuild-"}}}}  # each rebuild adds one


class Compared(NamedTuple):
    """The digests of two generations, by collection, and the ids of rows that differ, as "collection/id"."""

    one: dict[str, str]
    other: dict[str, str]
    differences: list[str]


async def of_generation(mongo: Mongo, generation: str) -> dict[str, str]:
    """One SHA-256 for each collection, over its rows in the order of their ids."""
    return {name: await _of_collection(mongo, name, generation) for name in PROJECTIONS}


async def compare(mongo: Mongo, one: str, other: str) -> Compared:
    """Walk through two generations side by side, reading each row once, so that their size is no matter."""
    compared = Compared({}, {}, [])
    for name in PROJECTIONS:
        left, right = Walk(mongo, name, one), Walk(mongo, name, other)
        await left.on()
        await right.on()
        while left.id is not None or right.id is not None:
            first = min(i for i in (left.id, right.id) if i is not None)
            if left.row != right.row:
                compared.differences.append(f"{name}/{first}")
            for walk in (left, right):
                if walk.id == first:
                    await walk.on()
        compared.one[name], compared.other[name] = left.digest(), right.digest()
    return compared


def combined(digests: dict[str, str]) -> str:
    """One digest over all collections."""
    return sha256(repr(sorted(digests.items())).encode()).hexdigest()


async def _of_collection(mongo: Mongo, name: str, generation: str) -> str:
    walk = Walk(mongo, name, generation)
    await walk.on()
    while walk.id is not None:
        await walk.on()
    return walk.digest()


class Walk:
    """Through the settled rows of one collection: `id` and `row`, the row's canonical bytes; None at the end."""

    def __init__(self, mongo: Mongo, name: str, generation: str) -> None:
        self._name = name
        self._rows = mongo.projection(name, generation).find(_WITHOUT.get(name, {})).sort("_id", 1)
        self._digest = sha256()
        self.id: str | None = None
        self.row: bytes | None = None

    async def on(self) -> None:
        """To the next row."""
        row = await anext(self._rows, None)
        if row is None:
            self.id = self.row = None
            return
        self.id, self.row = row["_id"], canonical(_settled(self._name, row))
        self._digest.update(self.row)

    def digest(self) -> str:
        """The SHA-256 of everything that was walked over."""
        return self._digest.hexdigest()


def _settled(name: str, row: Row) -> dict[str, Any]:
    left_out = _UNSETTLED.get(name, frozenset())
    settled = {column: row[column] for column in sorted(row) if column not in left_out}
    if state := settled.get("settled"):
        settled["settled"] = codec.without_defaults(state) if name == "documents" else _without_job_defaults(state)
    if settled.get("status") == "stalled":  # until a tick shows otherwise
        settled["status"] = "running"
    return settled


def _without_job_defaults(state: Row) -> Row:
    defaults = JobState._field_defaults
    return {field: value for field, value in state.items() if field not in defaults or value != defaults[field]}
