"""Reads documents, standalone jobs and feeds for routes and subscriptions, and knows which generation is live."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

from services.gateway.concurrency.batch_loader import BatchLoader
from services.gateway.live import frames
from services.gateway.live.change_waiters import ChangeWaiters, within
from services.gateway.live.frames import View
from services.gateway.problems import Problem
from services.gateway.queries.projections import Found, ListFilter, Projections
from services.gateway.queries.upload_info_cache import UploadInfoCache
from services.gateway.targets import DocumentKey, Standing, Target
from shared.errors import Transient

PATIENCE: Final = 2.0  # seconds that an unknown id may take to appear: a client reads its own upload
LONG_PATIENCE: Final = 20.0  # and one whose upload is stored: as long as a switch of generations takes
_FEEDS_AT_ONCE: Final = 4  # feeds that are read before those who asked for them are answered
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Snapshot(NamedTuple):
    """What a target shows, as one generation has it; `standings` are of a batch."""

    generation: str
    views: list[View]
    standings: list[tuple[str, Standing]]


class DocumentReader:
    """Callers that ask for the same row or feed at the same time share one query.

    `accepted` tells whether an upload of an id is stored, whatever the projection knows.
    """

    def __init__(self, projections: Projections, accepted: Callable[[DocumentKey], Awaitable[bool]]) -> None:
        self._projections = projections
        self._accepted = accepted
        self._rows = BatchLoader(projections.documents)
        self._feeds = BatchLoader(self._read_feeds, limit=_FEEDS_AT_ONCE, owner=lambda target: target.tenant)
        self._seen: str | None = None  # the generation that watchers were shown
        self.upload_info = UploadInfoCache()
        self.changes = ChangeWaiters()
        self.on_generation: Callable[[], None] = lambda: None  # called when a read finds another generation live

    async def start(self) -> None:
        """Learn which generation is live. Raises the driver's errors."""
        await self.refresh()
        self.take_as_seen()

    @property
    def generation(self) -> str | None:
        """The live generation as last read; None while there is none."""
        return self._projections.generation

    async def refresh(self) -> None:
        """Read which generation is live. Raises the driver's errors."""
        await self._projections.refresh()

    def take_as_seen(self) -> None:
        """The watchers are being shown the present generation."""
        self._seen = self.generation

    def notice_generation(self) -> None:
        """Call `on_generation` once for each generation that has gone live."""
        if self._seen != self.generation:
            self._seen = self.generation
            self.on_generation()

    async def document(self, key: DocumentKey, patience: float = PATIENCE) -> Found:
        """The row of a document, or of a standalone job; an unknown id has `patience` seconds to appear.

        One whose upload is stored has longer: a projection that is replaced or replayed comes to it in time.
        Raises Problem: (document|job).not_found (at once for what is deleted or no id), or projection_unavailable.
        """
        target = Target.of_key(*key)
        if target.kind != "job" and not _ID.fullmatch(key.document_id):
            raise Problem("document.not_found")
        found = await self._appears(key, target, patience)
        accepted = found is None and target.kind != "job" and await self._is_accepted(key)
        if accepted and patience > 0:
            found = await self._appears(key, target, LONG_PATIENCE)
        if found is not None:
            return self._known(key, found)
        if accepted or self.generation is None:
            raise Problem("projection_unavailable", retry_after=2)
        raise Problem(f"{target.kind}.not_found")

    async def row(self, key: DocumentKey) -> Found | None:
        """The row as it is now, also of a deleted document; None where there is none."""
        return await self._rows.get(key)

    async def feed(self, target: Target) -> Snapshot | None:
        """The newest rows of a feed; None where no generation is live."""
        return await self._feeds.get(target)

    async def snapshot(self, target: Target) -> Snapshot:
        """What the target shows now. Raises as `document`."""
        if target.is_feed:
            feed = await self.feed(target)
            self.notice_generation()
            assert feed is not None  # where there is no projection, reading it raises
            return feed
        if target != Target.of_key(target.tenant, target.name):
            raise Problem(f"{target.kind}.not_found")
        generation, row = await self.document(DocumentKey(target.tenant, target.name))
        return Snapshot(generation, [row["view"]], [])

    async def _is_accepted(self, key: DocumentKey) -> bool:
        try:
            return await self._accepted(key)
        except Transient:  # a store that does not answer is no sign that the document does not exist
            raise Problem("projection_unavailable", retry_after=2) from None

    async def _appears(self, key: DocumentKey, target: Target, patience: float) -> Found | None:
        until = asyncio.get_running_loop().time() + patience
        with self.changes.expecting(target) as changed:
            while True:
                changed.clear()
                found = await self._rows.get(key)
                self.notice_generation()
                if found is not None or not await within(changed, until):
                    return found

    def _known(self, key: DocumentKey, found: Found) -> Found:
        if found.row.get("deleted"):
            raise Problem("document.not_found")
        self.upload_info.learn(key, found.row["view"])
        return found

    async def _read_feeds(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        found = {}
        for target in targets:
            batch = target.name if target.kind == "batch" else None
            generation, rows = await self._projections.newest(
                ListFilter(target.tenant, batch=batch), limit=frames.FEED_ROWS
            )
            standings = await self._projections.standings(target.tenant, batch) if batch else []
            found[target] = Snapshot(generation, [row["view"] for row in rows], standings)
        return found
