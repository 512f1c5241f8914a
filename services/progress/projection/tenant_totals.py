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
_LIFE: Final = 1_000_000  # versions; what an earlier life writes late is older than what this one writes first


class TenantTotals:
    """Of one generation: `start`, then `add` for each batch and `store` before its documents are stored."""

    def __init__(self, database: Mongo, generation: str) -> None:
        self._documents = database.projection("documents", generation)
        self._rows = database.projection(mongo.TOTALS, generation)
        self._through: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        self._sums: dict[str, Counter[str]] = {}
        self._changed: set[str] = set()

    async def start(self, positions: Positions) -> None:
        """Take up the totals of the log up to `positions`; those that an earlier life left otherwise are counted."""
        self._through = to_row(positions)
        known = {row["_id"]: row async for row in self._rows.find({})}
        self._versions = {tenant: row["version"] + _LIFE for tenant, row in known.items()}
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
            self._versions[tenant] = self._versions.get(tenant, 0) + 1
        through = dict(self._through)
        rows = [
            (t, {"version": self._versions[t], "through": through, "counts": dict(self._sums[t])})
            for t in sorted(changed)
        ]
        await mongo.advance(self._rows, rows)
