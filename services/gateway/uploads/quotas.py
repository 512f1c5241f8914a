"""What a tenant may use: documents in flight, pages a day, bytes stored. Counted in the projection.

What this gateway has admitted and the projection does not show yet is counted on top. Several gateways may together
admit more, by what each has in hand at the same moment.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.problems import Problem
from services.gateway.queries.projections import Projections
from shared.events.document import DocumentUploaded, utcnow

EVERYBODY: Final = "*"  # in the settings: tenants that are not listed

_WAIT: Final = 60  # seconds after which documents in flight or bytes may have become fewer


Rows = Literal["resumable", "tokens", "jobs"]


class Quota(BaseModel):
    """The limits of a tenant; None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: int | None = Field(default=None, ge=0)  # that have not ended
    pages_a_day: int | None = Field(default=None, ge=0)  # of documents uploaded since midnight, UTC
    bytes: int | None = Field(default=None, ge=0)  # of the uploads that are stored
    resumable: int | None = Field(default=10_000, ge=0)  # uploads that are begun, or ended less than a day ago
    tokens: int | None = Field(default=100_000, ge=0)  # that have not expired
    jobs: int | None = Field(default=10_000, ge=0)  # of people's own that have not ended


class Room:
    """The place of one upload under its tenant's quota."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.document_id: str | None = None  # once it is in the log
        self._refusal: Problem | None = None  # of more than `size` bytes, where those are all that is left

    def takes_what_is_left(self, quota: int, used: int) -> None:
        """Reserve all that the tenant has left for an upload of unknown length. Raises Problem where nothing is."""
        self.size = quota - used
        self._refusal = _refused("bytes", quota, used)
        self.hold(1)

    def hold(self, size: int) -> None:
        """Raise Problem once more bytes have come than there is room for."""
        if self._refusal and size > self.size:
            raise self._refusal

    def becomes(self, uploaded: DocumentUploaded) -> None:
        """The upload is a document now; its room is taken until the projection shows it."""
        self.size, self.document_id = uploaded.size, uploaded.document_id


class Quotas:
    """Admits uploads while there is room for them."""

    def __init__(self, projections: Projections, quotas: Mapping[str, Quota]) -> None:
        self._projections = projections
        self._quotas = quotas
        self._unseen: dict[str, set[Room]] = defaultdict(set)

    @asynccontextmanager
    async def room(self, tenant: str, size: int) -> AsyncIterator[Room]:
        """Hold room for one upload of `size` bytes; the caller reports what it became. Raises Problem."""
        quota = self._of(tenant)
        room = Room(size)
        if quota is None:
            yield room
            return
        await self._check(tenant, quota, room)
        rooms = self._unseen[tenant]
        rooms.add(room)
        try:
            yield room
        finally:
            if room.document_id is None:
                rooms.discard(room)

    async def hold_rows(self, tenant: str, name: Rows, count: Callable[[str, int], Awaitable[int]]) -> None:
        """Raise Problem unless the tenant may have one more row; `count(tenant, most)` counts them."""
        limit = getattr(self._of(tenant) or Quota(), name)
        if limit is not None:
            _hold(name, limit, await count(tenant, max(1, limit)), 1)

    def _of(self, tenant: str) -> Quota | None:
        return self._quotas.get(tenant) or self._quotas.get(EVERYBODY)

    async def _check(self, tenant: str, quota: Quota, room: Room) -> None:
        now = utcnow()
        midnight = datetime.combine(now.date() + timedelta(days=1), time.min, now.tzinfo)
        await self._forget_seen(tenant)
        totals = await self._projections.totals(tenant)
        rooms = self._unseen[tenant]
        if quota.documents is not None:
            _hold("documents", quota.documents, totals.unfinished + len(rooms), 1)
        if quota.pages_a_day is not None:
            _hold("pages_a_day", quota.pages_a_day, totals.pages(now.date()), 1, now, midnight)
        if quota.bytes is not None:
            used = totals.bytes + sum(other.size for other in rooms)
            if room.size:
                _hold("bytes", quota.bytes, used, room.size)
            else:
                room.takes_what_is_left(quota.bytes, used)

    async def _forget_seen(self, tenant: str) -> None:
        rooms = self._unseen[tenant]
        seen = await self._projections.present([room.document_id for room in rooms if room.document_id])
        rooms.difference_update({room for room in rooms if room.document_id in seen})


def _hold(
    name: str, limit: int, used: int, more: int, now: datetime | None = None, until: datetime | None = None
) -> None:
    if used + more > limit:
        raise _refused(name, limit, used, now, until)


def _refused(name: str, limit: int, used: int, now: datetime | None = None, until: datetime | None = None) -> Problem:
    wait = int((until - now).total_seconds()) + 1 if now and until else _WAIT
    resets_at = until.isoformat() if until else None
    left = max(0, limit - used)
    return Problem(
        "quota_exceeded", quota=name, limit=limit, used=used, left=left, resets_at=resets_at, retry_after=wait
    )
