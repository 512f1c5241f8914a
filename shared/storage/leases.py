"""Leases: who works on a slice, who owns a fold. Expiry is by the database's clock, never by ours.

A claim is one conditional write. Its row's `strikes` counts the claims of one slice in one attempt, before any work is
done, so that a slice that kills its worker is counted too. `strikes` with the owner is the fencing token: a worker that
renews or ends a lease names both.

A lease that has ended holds the fact that the work ended in. A worker that claims it again receives that fact and
appends it once more: a repeated claim means that it may not be in the log. Without a fact the lease opens again.

While the database elects a primary no worker can renew a lease, and afterwards every lease looks expired. So no lease
is reported as lost, and no owner loses what it owns, before it had GRACE seconds of a database that answers.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from shared.errors import Rejected
from shared.runtime import logs
from shared.storage.lease_expiry import Silent
from shared.storage.mongo import OUTAGES, Collection, Mongo, Row

log = logs.get(__name__)

T = TypeVar("T")

LEASE_MS: Final = 10_000
OWNERSHIP_MS: Final = 10_000
WORKER_MS: Final = 15_000
_FRESH_SECONDS: Final = 2.0
_ELECTION_MS: Final = 30_000  # how long a replica set may take to elect a primary
_STANDBY_SECONDS: Final = 0.5  # how often who waits for a right, or for the database, asks again
_RENEW_SECONDS: Final = 1.0  # how often an owner renews its right: several times in GRACE

_NOW: Final = "$$NOW"
_EXPIRED: Final[Row] = {"$lte": ["$expires_at", _NOW]}
_LIVE: Final[Row] = {"$expr": {"$gt": ["$expires_at", _NOW]}}  # as a filter
# Live, or expired so recently that its owner may only be unable to renew it; not one that was given back.
_HELD: Final[Row] = {
    "$expr": {
        "$and": [
            {"$gt": ["$expires_at", {"$subtract": [_NOW, _ELECTION_MS]}]},
            {"$ne": [{"$ifNull": ["$released", 0]}, "$strikes"]},
        ]
    }
}
_NOT_STRUCK: Final[Row] = {"$expr": {"$ne": [{"$ifNull": ["$reported", 0]}, "$strikes"]}}


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


def _clock() -> float:
    """Seconds of a clock that goes on while this process, or its whole machine, is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Lease:
    """A claim that was granted. `claim_count` grows with every claim; `losses` leaves out released claims."""

    work: str
    claim_count: int
    losses: int = 0
    claimed_at: float = field(default=0.0, compare=False)  # of our clock, just before the database was asked

    @property
    def is_fresh(self) -> bool:
        """Whether the claim is so young that its lease cannot have expired, and need not be asked for."""
        return _clock() - self.claimed_at < _FRESH_SECONDS


@dataclass(frozen=True)
class Ended:
    """The answer to a claim of work that has ended: `said` is the fact that it ended in, encoded."""

    said: bytes


class LeaseLost(RuntimeError):
    """The lease is gone or another's: its former holder stops and appends nothing."""


async def _take(rows: Collection, name: str, owner: Owner, free: Row, held: Row) -> tuple[Row, bool]:
    """Let `owner` have the row `name` if it is new or `free` holds; the row as it is now, and whether that was so.

    One write on the id alone, decided inside the database: a guard in the filter of an upsert would turn "another
    has it" into a duplicate-key error, and may not look at the clock.
    """
    token = uuid.uuid4().hex
    mine = {"slot": owner.slot, "boot": owner.boot, "token": token, **held}
    new = {"$eq": [{"$type": "$boot"}, "missing"]}
    taken = {"$cond": [{"$or": [new, free]}, {"$mergeObjects": ["$$ROOT", mine]}, "$$ROOT"]}
    row = await rows.find_one_and_update({"_id": name}, [{"$replaceWith": taken}], upsert=True, return_document=True)
    return row, row["token"] == token


class Leases:
    """The leases of slices, in the control database."""

    def __init__(self, mongo: Mongo, owner: Owner) -> None:
        self._rows = mongo.control["leases"]
        self._owner = owner

    async def claim(self, work: str, about: Mapping[str, Any], *, anew: bool = False) -> Lease | Ended | None:
        """Claim `work`; Ended when it has ended in a fact, None when another worker holds a live lease.

        An expired lease is taken over, and so is one of an earlier life of the same slot. One that has ended without a
        fact opens again, which is no loss; with `anew` any that has ended, because its result is gone.
        """
        owner = self._owner
        earlier_life = {"$and": [{"$eq": ["$slot", owner.slot]}, {"$ne": ["$boot", owner.boot]}]}
        ended = {"$eq": ["$ended", True]}
        opens_again = {"$and": [ended, {"$or": [anew, {"$lte": ["$said", None]}]}]}
        held = {
            **{key: {"$literal": value} for key, value in about.items()},
            "strikes": {"$add": [{"$ifNull": ["$strikes", 0]}, 1]},
            "releases": {"$add": [{"$ifNull": ["$releases", 0]}, {"$cond": [ended, 1, 0]}]},
            "claimed_at": _NOW,
            "ended": False,
            "ended_at": None,
            "said": None,
        }
        expired = {"$and": [{"$ne": ["$ended", True]}, {"$or": [_EXPIRED, earlier_life]}]}
        free = {"$or": [expired, opens_again]}
        claimed_at = _clock()
        row, taken = await _take(self._rows, work, owner, free, {**held, "expires_at": _in(LEASE_MS)})
        if taken:
            return Lease(work, row["strikes"], row["strikes"] - 1 - row["releases"], claimed_at)
        return Ended(row["said"]) if row["ended"] else None

    async def renew(self, lease: Lease) -> None:
        """Push the expiry out. Raises LeaseLost."""
        await self._update(lease, {"expires_at": _in(LEASE_MS)})

    async def end(self, lease: Lease, said: bytes) -> None:
        """The work's fact `said` is in the log. A lost lease needs no ending."""
        with suppress(LeaseLost):
            await self._update(lease, {"ended": True, "ended_at": _NOW, "said": {"$literal": said}})

    async def release(self, lease: Lease) -> None:
        """Give the work back unfinished, so that any worker may take it at once; a release is not counted as a loss."""
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
        mine = {"_id": lease.work, "boot": self._owner.boot, "strikes": lease.claim_count, "ended": False}
        done = await self._rows.update_one(mine, [{"$set": change}])
        if not done.matched_count:
            raise LeaseLost(lease.work)


class LeaseBook:
    """All leases of all holders, for coordinators, the policy and the sweeper."""

    def __init__(self, mongo: Mongo) -> None:
        self._rows = mongo.control["leases"]
        self._silent = Silent()

    async def at_work_among(self, document_ids: Sequence[str]) -> set[str]:
        """Those of the documents that a worker may be at work on."""
        if not document_ids:
            return set()
        held = {"document_id": {"$in": [*document_ids]}, "ended": False, **_HELD}
        return {lease["document_id"] async for lease in self._rows.find(held, {"document_id": 1})}

    async def in_flight(self, stage: str) -> dict[str, set[int]]:
        """The slices of a stage that a worker may be at work on, by document: held, and not reported as lost."""
        held: dict[str, set[int]] = {}
        async for lease in self._rows.find({"stage": stage, "ended": False, "$and": [_HELD, _NOT_STRUCK]}):
            held.setdefault(lease["document_id"], set()).add(lease["slice"])
        return held

    async def busy(self) -> dict[str, int]:
        """How many live leases there are, by stage."""
        steps: list[Row] = [{"$match": {"ended": False, **_LIVE}}, {"$group": {"_id": "$stage", "count": {"$sum": 1}}}]
        return {row["_id"]: row["count"] async for row in self._rows.aggregate(steps)}

    async def expired(self) -> list[Row]:
        """The leases that expired without an end and stayed so for GRACE seconds; to be asked every second."""
        found = [lease async for lease in self._rows.find({"ended": False, "$expr": _EXPIRED})]
        lost = self._silent.since({(row["_id"], row["strikes"], row["expires_at"]) for row in found}, time.monotonic())
        return [row for row in found if (row["_id"], row["strikes"], row["expires_at"]) in lost]

    async def close(self, lease: Row) -> None:
        """End an expired lease of work that is not needed, unless it was claimed meanwhile."""
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
        self._silent = Silent()
        self._renewed: Hashable = None  # when the other owner's right expires, as last seen
        self.term = 0  # of the latest time that it was taken; whoever takes it after has a higher one

    async def acquire(self, *, patiently: bool = False) -> bool:
        """Take or renew it; False while another instance holds it.

        `patiently`, for those who ask again and again: an owner that did not let go has GRACE seconds to renew.
        """
        mine, free = {"$eq": ["$slot", self._owner.slot]}, _EXPIRED
        if patiently:
            silent = self._silent.since({self._renewed}, time.monotonic())
            unchanged = {"$in": ["$expires_at", [{"$literal": at} for at in silent if at is not None]]}
            free = {"$and": [_EXPIRED, {"$or": [{"$eq": ["$released", True]}, unchanged]}]}
        # Time, since the row is forgotten some day; and never less than before, since clocks of databases differ.
        since = {"$max": ["$$NOW", {"$add": ["$since", 1]}]}
        held = {"expires_at": _in(OWNERSHIP_MS), "released": False, "since": since}
        row, taken = await _take(self._rows, self._name, self._owner, {"$or": [mine, free]}, held)
        self._renewed = row["expires_at"]
        if taken:
            self.term = round(row["since"].timestamp() * 1000)
        return taken

    async def renew(self) -> None:
        """Push the expiry out. Raises LeaseLost when another instance has taken it."""
        held = {"_id": self._name, "boot": self._owner.boot}
        done = await self._rows.update_one(held, [{"$set": {"expires_at": _in(OWNERSHIP_MS)}}])
        if not done.matched_count:
            raise LeaseLost(self._name)

    async def release(self) -> None:
        """Let a standby take over at once."""
        free = {"expires_at": _NOW, "released": True}
        await self._rows.update_one({"_id": self._name, "boot": self._owner.boot}, [{"$set": free}])


class Workers:
    """Which workers live and how many slots each has: the size of every window."""

    def __init__(self, mongo: Mongo) -> None:
        self._rows = mongo.control["workers"]
        self._since: Row = {}  # when each slot was announced first by this process, by the database's clock

    async def announce(self, owner: Owner, stage: str, slots: int, kept_network: str = "") -> None:
        """Say that this worker lives; to be repeated every few seconds.

        `kept_network` is why its children have the network that they were to do without, "" where they have none.
        Raises Rejected("slot_taken") where a worker that was there first has the same slot and lives.
        """
        since = self._since.get(owner.slot)
        life = {"boot": owner.boot, "stage": stage, "slots": slots, "expires_at": _in(WORKER_MS)}
        life |= {"kept_network": {"$literal": kept_network}, "since": since or _NOW}
        place, change = {"_id": owner.slot}, [{"$set": life}]
        if since is None:  # what stands there is of an earlier life, or of a rival who will come again
            row = await self._rows.find_one_and_update(place, change, upsert=True, return_document=True)
            self._since[owner.slot] = row["since"]
            return
        row = await self._rows.find_one_and_update(place, change, upsert=True)
        if row and row["boot"] != owner.boot and row.get("since", since) < since:
            raise Rejected("slot_taken", slot=owner.slot.partition("/")[0])

    async def leave(self, owner: Owner) -> None:
        """Say that this worker is gone."""
        await self._rows.delete_one({"_id": owner.slot, "boot": owner.boot})

    async def slots(self, stage: str) -> int:
        """The live slots of a stage, all workers together."""
        return sum([row["slots"] async for row in self._rows.find({"stage": stage, **_LIVE})])

    async def live(self) -> list[Row]:
        """The workers of all stages that live."""
        return [row async for row in self._rows.find(_LIVE, {"boot": 0, "since": 0})]


@asynccontextmanager
async def holding(ownership: Ownership) -> AsyncIterator[None]:
    """Wait for the right, hold it during the body, release it. Losing it cancels the body and raises LeaseLost.

    A database that does not answer takes the right from no holder: no other process can take it either.
    """
    while not await answered(lambda: ownership.acquire(patiently=True)):
        await asyncio.sleep(_STANDBY_SECONDS)
    try:
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(_renewing(ownership))
            yield
            renewing.cancel()
    except BaseExceptionGroup as failed:  # of one: what the body raised, or the loss that cancelled it
        raise failed.exceptions[0] from None
    finally:
        with suppress(*OUTAGES):  # it expires
            await ownership.release()


async def _renewing(ownership: Ownership) -> None:
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        await answered(ownership.renew)


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """The result of the database, as soon as it answers. Raises every other error."""
    while True:
        try:
            return await ask()
        except OUTAGES as error:
            log.warning("the database does not answer", reason=type(error).__name__)
            await asyncio.sleep(_STANDBY_SECONDS)
