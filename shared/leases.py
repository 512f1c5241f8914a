"""Leases: who works on a slice, who owns a fold. Expiry is by the database's clock, never by ours.

A claim is one conditional write. `strikes` counts the claims of one slice in one attempt, before any work is done, so
that a slice that kills its worker is counted too. `strikes` with the owner is the fencing token: whoever renews or
ends a lease names both.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from shared.mongo import Collection, Mongo, Row

LEASE_MS: Final = 10_000
OWNERSHIP_MS: Final = 10_000
WORKER_MS: Final = 15_000
_STANDBY_SECONDS: Final = 0.5

_NOW: Final = "$$NOW"
_EXPIRED: Final[Row] = {"$lte": ["$expires_at", _NOW]}
_LIVE: Final[Row] = {"$expr": {"$gt": ["$expires_at", _NOW]}}  # as a filter


def _in(milliseconds: int) -> Row:
    return {"$add": [_NOW, milliseconds]}


@dataclass(frozen=True)
class Owner:
    """Who claims: a `slot` that survives a restart and a `boot` that does not."""

    slot: str
    boot: str

    @classmethod
    def of(cls, slot: str) -> "Owner":
        """This life of the slot."""
        return cls(slot, uuid.uuid4().hex[:12])


@dataclass(frozen=True)
class Lease:
    """A claim that was granted. `strikes` grows with every claim; `losses` leaves out those that were given back."""

    work: str
    strikes: int
    losses: int = 0


class LeaseLost(RuntimeError):
    """The lease is gone or another's: whoever held it stops and appends nothing."""


async def _take(rows: Collection, name: str, owner: Owner, free: Row, held: Row) -> Row | None:
    """Let `owner` have the row `name` if it is new or `free` holds; the row, or None where it does not.

    One write on the id alone, decided inside the database: a guard in the filter of an upsert would turn "somebody has
    it" into a duplicate-key error, and may not look at the clock.
    """
    token = uuid.uuid4().hex
    mine = {"slot": owner.slot, "boot": owner.boot, "token": token, **held}
    new = {"$eq": [{"$type": "$boot"}, "missing"]}
    taken = {"$cond": [{"$or": [new, free]}, {"$mergeObjects": ["$$ROOT", mine]}, "$$ROOT"]}
    row = await rows.find_one_and_update({"_id": name}, [{"$replaceWith": taken}], upsert=True, return_document=True)
    return row if row["token"] == token else None


class Leases:
    """The leases of slices, in the control database."""

    def __init__(self, mongo: Mongo, owner: Owner) -> None:
        self._rows = mongo.control["leases"]
        self._owner = owner

    async def claim(self, work: str, about: Mapping[str, Any]) -> Lease | None:
        """Claim `work`; None when it has ended or is somebody's live lease.

        An expired lease is taken over, and so is one of an earlier life of the same slot.
        """
        owner = self._owner
        earlier_life = {"$and": [{"$eq": ["$slot", owner.slot]}, {"$ne": ["$boot", owner.boot]}]}
        held = {
            **{key: {"$literal": value} for key, value in about.items()},
            "strikes": {"$add": [{"$ifNull": ["$strikes", 0]}, 1]},
            "claimed_at": _NOW,
            "ended": False,
        }
        free = {"$and": [{"$ne": ["$ended", True]}, {"$or": [_EXPIRED, earlier_life]}]}
        row = await _take(self._rows, work, owner, free, {**held, "expires_at": _in(LEASE_MS)})
        return Lease(work, row["strikes"], row["strikes"] - 1 - row.get("releases", 0)) if row else None

    async def renew(self, lease: Lease) -> None:
        """Push the expiry out. Raises LeaseLost."""
        await self._update(lease, {"expires_at": _in(LEASE_MS)})

    async def end(self, lease: Lease) -> None:
        """The work's fact is in the log; nobody claims it again. A lost lease needs no ending."""
        with suppress(LeaseLost):
            await self._update(lease, {"ended": True, "ended_at": _NOW})

    async def release(self, lease: Lease) -> None:
        """Give the work back unfinished, so that anybody may take it at once; a release is no strike."""
        releases = {"$add": [{"$ifNull": ["$releases", 0]}, 1]}
        with suppress(LeaseLost):
            await self._update(lease, {"expires_at": _NOW, "releases": releases, "released": "$strikes"})

    async def expire_earlier_lives(self) -> int:
        """Expire what an earlier life of this slot held when it died; how many leases that were."""
        owner = self._owner
        done = await self._rows.update_many(
            {"slot": owner.slot, "boot": {"$ne": owner.boot}, "ended": False, **_LIVE},
            [{"$set": {"expires_at": _NOW}}],
        )
        return done.modified_count

    async def _update(self, lease: Lease, change: Row) -> None:
        mine = {"_id": lease.work, "boot": self._owner.boot, "strikes": lease.strikes, "ended": False}
        done = await self._rows.update_one(mine, [{"$set": change}])
        if not done.matched_count:
            raise LeaseLost(lease.work)


class LeaseBook:
    """All leases, whoever holds them: what coordinators, the policy and the sweeper look at."""

    def __init__(self, mongo: Mongo) -> None:
        self._rows = mongo.control["leases"]

    async def at_work_among(self, document_ids: Sequence[str]) -> set[str]:
        """Those of the documents of which somebody holds a live lease."""
        if not document_ids:
            return set()
        live = {"document_id": {"$in": [*document_ids]}, "ended": False, **_LIVE}
        return {lease["document_id"] async for lease in self._rows.find(live, {"document_id": 1})}

    async def in_flight(self, stage: str) -> dict[str, set[int]]:
        """The slices of a stage that somebody holds a live lease of, by document."""
        held: dict[str, set[int]] = {}
        async for lease in self._rows.find({"stage": stage, "ended": False, **_LIVE}):
            held.setdefault(lease["document_id"], set()).add(lease["slice"])
        return held

    async def busy(self) -> dict[str, int]:
        """How many live leases there are, by stage."""
        steps: list[Row] = [{"$match": {"ended": False, **_LIVE}}, {"$group": {"_id": "$stage", "count": {"$sum": 1}}}]
        return {row["_id"]: row["count"] async for row in self._rows.aggregate(steps)}

    async def expired(self) -> list[Row]:
        """The leases that expired without an end."""
        return [lease async for lease in self._rows.find({"ended": False, "$expr": _EXPIRED})]

    async def close(self, lease: Row) -> None:
        """End an expired lease that nobody waits for, unless it was claimed meanwhile."""
        await self._rows.update_one(_unchanged(lease), [{"$set": {"ended": True, "ended_at": _NOW}}])

    async def reported(self, lease: Row) -> None:
        """Note that the loss was said, unless the lease was claimed meanwhile."""
        await self._rows.update_one(_unchanged(lease), {"$set": {"reported": lease["strikes"]}})


def _unchanged(lease: Row) -> Row:
    return {"_id": lease["_id"], "strikes": lease["strikes"], "expires_at": lease["expires_at"]}


class Ownership:
    """The right to be the one active instance of something (a fold, a coordinator), held by renewing it."""

    def __init__(self, mongo: Mongo, name: str, owner: Owner) -> None:
        self._rows = mongo.control["owners"]
        self._name = name
        self._owner = owner

    async def acquire(self) -> bool:
        """Take or renew it; False while another instance holds it."""
        mine_or_free = {"$or": [{"$eq": ["$slot", self._owner.slot]}, _EXPIRED]}
        held = {"expires_at": _in(OWNERSHIP_MS)}
        return await _take(self._rows, self._name, self._owner, mine_or_free, held) is not None

    async def renew(self) -> None:
        """Push the expiry out. Raises LeaseLost when another instance has taken it."""
        held = {"_id": self._name, "boot": self._owner.boot}
        done = await self._rows.update_one(held, [{"$set": {"expires_at": _in(OWNERSHIP_MS)}}])
        if not done.matched_count:
            raise LeaseLost(self._name)

    async def release(self) -> None:
        """Let a standby take over at once."""
        await self._rows.update_one({"_id": self._name, "boot": self._owner.boot}, [{"$set": {"expires_at": _NOW}}])


class Workers:
    """Which workers live and how many slots each has: the size of every window."""

    def __init__(self, mongo: Mongo) -> None:
        self._rows = mongo.control["workers"]

    async def announce(self, owner: Owner, stage: str, slots: int, kept_network: str = "") -> None:
        """Say that this worker lives; to be repeated every few seconds.

        `kept_network` is why its children have the network that they were to do without, "" where they have none.
        """
        life = {"boot": owner.boot, "stage": stage, "slots": slots, "expires_at": _in(WORKER_MS)}
        life["kept_network"] = {"$literal": kept_network}
        await self._rows.update_one({"_id": owner.slot}, [{"$set": life}], upsert=True)

    async def leave(self, owner: Owner) -> None:
        """Say that this worker is gone."""
        await self._rows.delete_one({"_id": owner.slot, "boot": owner.boot})

    async def slots(self, stage: str) -> int:
        """The live slots of a stage, all workers together."""
        return sum([row["slots"] async for row in self._rows.find({"stage": stage, **_LIVE})])

    async def live(self) -> list[Row]:
        """The workers of all stages that live."""
        return [row async for row in self._rows.find(_LIVE, {"boot": 0})]


@asynccontextmanager
async def holding(ownership: Ownership) -> AsyncIterator[None]:
    """Wait for the right, hold it during the body, release it. Losing it cancels the body and raises LeaseLost."""
    while not await ownership.acquire():
        await asyncio.sleep(_STANDBY_SECONDS)
    try:
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(_renewing(ownership))
            yield
            renewing.cancel()
    except BaseExceptionGroup as failed:  # of one: what the body raised, or the loss that cancelled it
        raise failed.exceptions[0] from None
    finally:
        await ownership.release()


async def _renewing(ownership: Ownership) -> None:
    while True:
        await asyncio.sleep(_STANDBY_SECONDS)
        await ownership.renew()
