"""The fan-out: connections subscribe to targets, and each change goes to those that watch it."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from typing import Any, Protocol

from services.gateway.live import frames
from services.gateway.live.document_reader import DocumentReader, Snapshot
from services.gateway.live.frames import Frame, Ref, View
from services.gateway.live.outbox import Slot
from services.gateway.live.subscriptions import Change, Subscriptions
from services.gateway.targets import Position, Target


class Viewer(Hashable, Protocol):
    """A connection that watches."""

    def deliver(self, slot: Slot | None, frame: Frame) -> None:
        """Send the frame, or keep it until it can be sent; never waits."""

    async def caught_up(self) -> None:
        """Return once everything that was delivered is on its way to the reader."""


class Hub:
    """One for each gateway. `delivered` is called with the view of each change that went to a viewer."""

    def __init__(self, reader: DocumentReader, delivered: Callable[[View], None]) -> None:
        self.reader = reader
        self._delivered = delivered
        self._subscriptions: Subscriptions[Viewer] = Subscriptions()
        self.closing = asyncio.Event()  # set when the gateway is about to end

    def begin_closing(self) -> None:
        """Answer at once every request that waits for a change."""
        self.closing.set()
        self.reader.changes.wake_all()

    # ---- connections

    async def subscribe(self, viewer: Viewer, target: Target, ref: Ref = None, have: Position | None = None) -> None:
        """Show `viewer` the target and everything that follows. Raises Problem, and the driver's errors."""
        self._subscriptions.join(target, viewer)
        try:
            snapshot = await self.reader.snapshot(target)
            while snapshot.generation != self.reader.generation:
                snapshot = await self.reader.snapshot(target)
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

    def watched(self) -> Iterable[tuple[Target, list[Viewer]]]:
        """Everything that is watched, and by which viewers."""
        return self._subscriptions.watched()

    def is_wanted(self, tenant: str, document_id: str, batch: str | None) -> bool:
        """Whether a viewer watches the document, its tenant's feed or its batch."""
        return self._subscriptions.is_watched(tenant, document_id, batch)

    def watches_batches(self, tenant: str) -> bool:
        """Whether a viewer watches a batch of the tenant."""
        return self._subscriptions.has_batches(tenant)

    async def reload_feed(self, target: Target, viewers: Sequence[Viewer]) -> None:
        """Show these viewers the feed anew. Raises as `DocumentReader.feed`; until then they watch on."""
        for viewer in viewers:
            self._subscriptions.join(target, viewer)
        self._subscriptions.recount(target)
        try:
            snapshot = await self.reader.feed(target)
        except BaseException:
            for viewer in viewers:
                self._subscriptions.stay(target, viewer)
            raise
        for viewer in viewers:
            if snapshot is None:
                self._subscriptions.fail(target, viewer)
            else:
                self._open(viewer, target, snapshot, None, None)

    def _open(self, viewer: Viewer, target: Target, snapshot: Snapshot, ref: Ref, have: Position | None) -> None:
        versions = {frames.id_of(view): view["version"] for view in snapshot.views}
        epoch = snapshot.generation if target.is_feed else snapshot.views[0]["epoch"]
        self._subscriptions.fill(target, epoch, snapshot.standings)
        opening = self._subscriptions.open(target, viewer, epoch, versions, have)
        if opening is None:
            return
        # An answer is never replaced by a later frame; a snapshot that was not asked for may be.
        slot = Slot(target, "" if target.is_feed else target.name, "snapshot") if ref is None else None
        if target.is_feed:
            viewer.deliver(slot, frames.feed_snapshot(self._naming(target), epoch, snapshot.views, ref))
        elif opening.is_current:
            viewer.deliver(None, frames.current(target.name, epoch, versions[target.name], ref))
        else:
            viewer.deliver(slot, frames.snapshot(snapshot.views[0], ref))
        for change in opening.late:
            viewer.deliver(Slot(target, change.document_id, "change"), self._change_frame(target, change))

    # ---- changes

    def publish(self, change: Change) -> int:
        """Deliver the change to each viewer that is to be shown it; how many that are."""
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
        count = len(fanout.snapshots) + len(fanout.updates) + len(fanout.feed) + len(fanout.batch_members)
        if count and change.view is not None:
            self._delivered(change.view)
        return count

    def _naming(self, target: Target) -> dict[str, Any]:
        """The members that every frame of a feed has."""
        return target.about | self._subscriptions.progress(target)

    def _change_frame(self, target: Target, change: Change) -> Frame:
        feed = self._naming(target) if target.is_feed else None
        if change.view is None:
            return frames.deleted(change.document_id, change.epoch, change.version, feed)
        return frames.feed_update(feed, change.view) if feed else frames.update(change.view)


def _deliver(viewers: Sequence[Viewer], slot: Slot, frame: Frame) -> None:
    for viewer in viewers:
        viewer.deliver(slot, frame)
