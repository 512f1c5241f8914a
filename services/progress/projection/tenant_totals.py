"""The totals of each tenant's documents, kept by the live fold: quotas, failures by code, stages and their times.

They are written before the rows that they count, and say up to where in the log they do. A start from a checkpoint that
is not that far counts anew: a row that was written before its batch broke off changes no more when it is read again.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from shared.document.totals import Counts, without_old_days
from shared.events.document import utcnow
from shared.projecting.checkpoint import Positions, to_row
from shared.storage import mongo
from shared.storage.mongo import Mongo

_STEP: Final = 5_000  # rows that come at once
_VERSIONS: Final = 1_000  # for each millisecond of a term: what an owner of before writes late is older


class TenantTotals:
    """Of one generation: `start`, then `add` for each batch and `store` before its documents are stored.

    `term` is that of the ownership under which they are kept, see `Ownership.term`.
    """

    def __init__(self, database: Mongo, generation: str, term: int) -> None:
        self._documents = database.projection("documents", generation)
        self._rows = database.projection(mongo.TOTALS, generation)
        self._through: dict[str, int] = {}
        self._version = term * _VERSIONS
        self._sums: dict[str, Counter[str]] = {}
        self._changed: set[str] = set()

    async def start(self, positions: Positions) -> None:
        """Take up the totals of the log up to `positions`; those that an earlier life left otherwise are counted."""
        self._through = to_row(positions)
        known = {row["_id"]: row async for row in self._rows.find({})}
        is_whole = all(
            offset <= self._through.get(name, 0) for row in known.values() for name, offset in row["through"].items()
        )
        tenants = await self._documents.distinct("tenant", {"deleted": False})
        if is_whole and known.keys() >= set(tenants):
            self._sums = {tenant: Counter(row["counts"]) for tenant, row in known.items()}
            return
        self._sums = {tenant: Counter() for tenant in known}
        counted = self._documents.find({"deleted": False}, {"tenant": 1, "counted": 1}).batch_size(_STEP)
        async for row in counted:
            self._sums.setdefault(row["tenant"], Counter()).update(row["counted"])
        self._changed.update(self._sums)
        await self.store()

    def add(self, positions: Positions, changes: Sequence[tuple[str, Counts]]) -> None:
        """A batch up to `positions` changed the counts of tenants so."""
        self._through |= to_row(positions)
        for tenant, changed in changes:
            if any(changed.values()):
                self._sums.setdefault(tenant, Counter()).update(changed)
                self._changed.add(tenant)

    async def store(self) -> None:
        """Write what has changed."""
        if not self._changed:
            return
        changed, self._changed = self._changed, set()
        today = utcnow().date()
        for tenant in changed:
            self._sums[tenant] = Counter(without_old_days(self._sums[tenant], today))
        self._version += 1
        through = dict(self._through)
        rows = [
            (tenant, {"version": self._version, "through": through, "counts": dict(self._sums[tenant])})
            for tenant in sorted(changed)
        ]
        await mongo.advance(self._rows, rows)
