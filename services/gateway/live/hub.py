"""Where changes meet watchers: the feed comes in, frames go out, snapshots are read in between."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import orjson

from services.gateway.concurrency.batch_loader import BatchLoader
from services.gateway.live import frames
from services.gateway.live.change_waiters import ChangeWaiters, within
from services.gateway.live.frames import Frame, Ref, View
from services.gateway.live.outbox import Slot
from services.gateway.live.subscriptions import Change, Subscriptions
from services.gateway.live.updates_consumer import EPOCH_KEY, Update
from services.gateway.live.upload_info_cache import UploadInfoCache
from services.gateway.problems import Problem
from services.gateway.queries.projections import Found, ListFilter, Projections
from services.gateway.targets import DocumentKey, Position, Standing, Target
from shared.errors import Transient
from shared.events.standalone_job import is_job_id
from shared.projecting.fences import note
from shared.runtime import logs
from shared.runtime.failpoints import provoke
from shared.storage.mongo import PyMongoError

log = logs.get(__name__)

PATIENCE: Final = 2.0  # seconds that an unknown id may take to appear: somebody reads their own upload
LONG_PATIENCE: Final = 20.0  # and one whose upload is stored: as long as a switch of generations takes
_AGAIN_SECONDS: Final = 1.0
_FEEDS_AT_ONCE: Final = 4  # feeds that are read before those who asked for them are answered
_BREATH: Final = 1_000  # deliveries after which others get a turn on the event loop
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Viewer(Hashable, Protocol):
    """A connection that watches."""

    def deliver(self, slot: Slot | None, frame: Frame) -> None:
        """Send the frame, or keep it until it can be sent; never waits."""

    async def caught_up(self) -> None:
        """Return once everything that was delivered is on its way to the reader."""


class _Snapshot(NamedTuple):
    generation: str
    views: list[View]
    standings: list[tuple[str, Standing]]  # of a batch


class Hub:
    """One for each gateway. `receive` is fed by the feed; everything else is called by connections."""

    def __init__(
        self,
        projections: Projections,
        delivered: Callable[[View], None],
        accepted: Callable[[DocumentKey], Awaitable[bool]],
    ) -> None:
        self._projections = projections
        self._accepted = accepted  # whether an upload of this id was stored, whatever the projection knows
        self._delivered = delivered  # is told of each change that went to somebody
        self._subscriptions: Subscriptions[Viewer] = Subscriptions()
        self._rows = BatchLoader(projections.documents)
        self._feeds = BatchLoader(self._read_feeds, most=_FEEDS_AT_ONCE, owner=lambda target: target.tenant)
        self.memory = UploadInfoCache()
        self.news = ChangeWaiters()
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation: str | None = None
        self.closing = asyncio.Event()  # set when the gateway is about to end

    async def start(self) -> None:
        """Learn which generation is live. Raises the driver's errors."""
        await self._projections.refresh()
        self._generation = self._projections.generation

    # ---- reading

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
        if accepted or self._projections.generation is None:
            raise Problem("projection_unavailable", retry_after=2)
        raise Problem(f"{target.kind}.not_found")

    async def _is_accepted(self, key: DocumentKey) -> bool:
        try:
            return await self._accepted(key)
        except Transient:  # a store that does not answer says nothing against the document
            raise Problem("projection_unavailable", retry_after=2) from None

    async def _appears(self, key: DocumentKey, target: Target, patience: float) -> Found | None:
        until = asyncio.get_running_loop().time() + patience
        with self.news.expecting(target) as news:
            while True:
                news.clear()
                found = await self._rows.get(key)
                self._notice_generation()
                if found is not None or not await within(news, until):
                    return found

    def _known(self, key: DocumentKey, found: Found) -> Found:
        if found.row.get("deleted"):
            raise Problem("document.not_found")
        self.memory.learn(key, found.row["view"])
        return found

    # ---- watching

    async def subscribe(self, viewer: Viewer, target: Target, ref: Ref = None, have: Position | None = None) -> None:
        """Show `viewer` the target and everything that follows. Raises Problem, and the driver's errors."""
        self._subscriptions.join(target, viewer)
        try:
            snapshot = await self._snapshot(target)
            while snapshot.generation != self._projections.generation:
                snapshot = await self._snapshot(target)
        except BaseException:
            self._subscriptions.fail(target, viewer)
            raise
        self._open(viewer, target, snapshot, ref, have)

    def unsubscribe(self, viewer: Viewer, target: Target) -> None:
        """Show `viewer` no more of the target."""
        self._subscriptions.leave(target, viewer)

    def leave(self, viewer: Viewer) -> None:
        """The connection is gone."""
        self._subscriptions.leave_all(viewer)

    def targets_of(self, viewer: Viewer) -> Set[Target]:
        """What `viewer` watches, or waits to."""
        return self._subscriptions.targets_of(viewer)

    async def _snapshot(self, target: Target) -> _Snapshot:
        if target.is_feed:
            feed = await self._feeds.get(target)
            self._notice_generation()
            assert feed is not None  # where there is no projection, reading it says so
            return feed
        if target != Target.of_key(target.tenant, target.name):
            raise Problem(f"{target.kind}.not_found")
        generation, row = await self.document(DocumentKey(target.tenant, target.name))
        return _Snapshot(generation, [row["view"]], [])

    async def _read_feeds(self, targets: Sequence[Target]) -> Mapping[Target, _Snapshot]:
        found = {}
        for target in targets:
            batch = target.name if target.kind == "batch" else None
            generation, rows = await self._projections.newest(
                ListFilter(target.tenant, batch=batch), limit=frames.FEED_ROWS
            )
            standings = await self._projections.standings(target.tenant, batch) if batch else []
            found[target] = _Snapshot(generation, [row["view"] for row in rows], standings)
        return found

    def _open(self, viewer: Viewer, target: Target, snapshot: _Snapshot, ref: Ref, have: Position | None) -> None:
        versions = {frames.id_of(view): view["version"] for view in snapshot.views}
        epoch = snapshot.generation if target.is_feed else snapshot.views[0]["epoch"]
        self._subscriptions.fill(target, epoch, snapshot.standings)
        opening = self._subscriptions.open(target, viewer, epoch, versions, have)
        if opening is None:
            return
        # An answer is never replaced by a later frame; what nobody asked for may be.
        slot = Slot(target, "" if target.is_feed else target.name, "snapshot") if ref is None else None
        if target.is_feed:
            viewer.deliver(slot, frames.feed_snapshot(self._naming(target), epoch, snapshot.views, ref))
        elif opening.is_current:
            viewer.deliver(None, frames.current(target.name, epoch, versions[target.name], ref))
        else:
            viewer.deliver(slot, frames.snapshot(snapshot.views[0], ref))
        for change in opening.late:
            viewer.deliver(Slot(target, change.document_id, "change"), self._change_frame(target, change))

    # ---- carrying

    async def receive(self, updates: Sequence[Update]) -> None:
        """Carry what the feed read to whoever watches it."""
        delivered = 0
        for update in updates:
            if update.key == EPOCH_KEY:
                self._start(self._refresh)
                continue
            self.news.wake(Target.of_key(update.tenant, update.key))
            self.news.wake(Target.of_feed(update.tenant))
            try:
                delivered += self._carry(update) if self._is_wanted(update) else 0
            except Exception as error:  # one document's update; the next one of it is shown whole
                note("gateway.carry", update.key, error)
            if delivered >= _BREATH:
                delivered = 0
                await asyncio.sleep(0)

    async def reload(self) -> None:
        """Show everybody the present state, as after a gap or when another generation went live; as soon as it can."""
        self._start(self._show_anew)

    async def _show_anew(self) -> None:
        await self._projections.refresh()
        self._generation = self._projections.generation
        self.news.wake_all()
        watched = self._subscriptions.watched()
        await asyncio.gather(*(self._reload(target, viewers) for target, viewers in watched))

    def begin_closing(self) -> None:
        """Answer at once whoever waits for news."""
        self.closing.set()
        self.news.wake_all()

    async def close(self) -> None:
        """End what is being read for watchers."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _reload(self, target: Target, viewers: list[Viewer]) -> None:
        if not target.is_feed:
            await self._reread(DocumentKey(target.tenant, target.name))
            return
        for viewer in viewers:
            self._subscriptions.join(target, viewer)
        self._subscriptions.recount(target)
        try:
            snapshot = await self._feeds.get(target)
        except BaseException:
            for viewer in viewers:
                self._subscriptions.stay(target, viewer)
            raise
        for viewer in viewers:
            if snapshot is None:
                self._subscriptions.fail(target, viewer)
            else:
                self._open(viewer, target, snapshot, None, None)

    def _is_wanted(self, update: Update) -> bool:
        """Whether anybody watches the document, its tenant's feed or its batch, as far as its batch is known."""
        given = self.memory.get(DocumentKey(update.tenant, update.key))
        if given is None and not is_job_id(update.key) and self._subscriptions.has_batches(update.tenant):
            return True
        return self._subscriptions.is_watched(update.tenant, update.key, given.batch if given else None)

    def _carry(self, update: Update) -> int:
        provoke("gateway.carry", update.key)
        body = orjson.loads(update.value)
        change = Change(update.tenant, update.key, body["epoch"], body["version"], body.get("document"))
        if change.epoch != self._projections.generation:
            self._start(self._refresh)  # a newer generation is shown whole; an older one says nothing any more
            return 0
        key = DocumentKey(update.tenant, update.key)
        given = self.memory.get(key)
        if is_job_id(update.key) or (change.view is not None and given is None):
            self._start(partial(self._reread, key))
            return 0
        if change.view is None or given is None:
            return self._tell(replace(change, batch=given.batch if given else None))
        return self._tell(replace(change, view={**change.view, **given.to_row()}, batch=given.batch))

    def _tell(self, change: Change) -> int:
        fanout = self._subscriptions.changed(change)
        document, feed = Target.of_key(change.tenant, change.document_id), Target.of_feed(change.tenant)
        if fanout.snapshots and change.view is not None:
            _deliver(fanout.snapshots, Slot(document, change.document_id, "snapshot"), frames.snapshot(change.view))
        if fanout.updates:
            _deliver(fanout.updates, Slot(document, change.document_id, "change"), self._change_frame(document, change))
        if fanout.feed:
            _deliver(fanout.feed, Slot(feed, change.document_id, "change"), self._change_frame(feed, change))
        if fanout.batch and fanout.batch_members:
            batch = Slot(fanout.batch, change.document_id, "change")
            _deliver(fanout.batch_members, batch, self._change_frame(fanout.batch, change))
        told = len(fanout.snapshots) + len(fanout.updates) + len(fanout.feed) + len(fanout.batch_members)
        if told and change.view is not None:
            self._delivered(change.view)
        return told

    async def _reread(self, key: DocumentKey) -> None:
        found = await self._rows.get(key)
        if found is None:
            return  # the generation has not come to it yet; when it does, an update says so
        if found.row.get("deleted"):
            self._tell(Change(*key, found.generation, found.row["version"], None))
            return
        view = found.row["view"]
        self._tell(Change(*key, view["epoch"], view["version"], view, self.memory.learn(key, view).batch))

    async def _refresh(self) -> None:
        await self._projections.refresh()
        self._notice_generation()

    def _notice_generation(self) -> None:
        if self._generation != self._projections.generation:
            self._generation = self._projections.generation
            self._start(self._show_anew)

    def _naming(self, target: Target) -> dict[str, Any]:
        """What every frame of a feed says of it."""
        return target.about | self._subscriptions.progress(target)

    def _change_frame(self, target: Target, change: Change) -> Frame:
        feed = self._naming(target) if target.is_feed else None
        if change.view is None:
            return frames.deleted(change.document_id, change.epoch, change.version, feed)
        return frames.feed_update(feed, change.view) if feed else frames.update(change.view)

    def _start(self, read: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(_insisting(read))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _insisting(read: Callable[[], Awaitable[None]]) -> None:
    """Read for watchers, as often as it takes: nobody asks for it again."""
    while True:
        try:
            return await read()
        except (Problem, PyMongoError) as error:
            log.warning("watchers wait for what cannot be read now", reason=repr(error))
        except Exception:
            log.exception("watchers were not told of a change")
            return None
        await asyncio.sleep(_AGAIN_SECONDS)


def _deliver(viewers: Sequence[Viewer], slot: Slot, frame: Frame) -> None:
    for viewer in viewers:
        viewer.deliver(slot, frame)
