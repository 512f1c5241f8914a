"""Who watches what, and what each watcher must be shown next.

A target is a document or a feed of one tenant, so delivering across tenants cannot be expressed. What a watcher sees
obeys three rules: a snapshot comes first; within an epoch versions only grow; the last version always arrives.

A watcher joins before its snapshot is read and opens with it afterwards. What changes in between is kept: the newest
change of each document, shown after the snapshot if it is newer.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from services.gateway.live.batch_progress import BatchProgress
from services.gateway.targets import Position, Standing, Target

M = TypeVar("M", bound=Hashable)

_REMEMBERED: Final = 16_384  # documents whose newest version is remembered; a fold repeats at most 5,000 records
_NOTHING: Final = -1  # lower than any version


@dataclass(frozen=True, slots=True)
class Change:
    """The state of a document or job after a change; `view` is None when it was deleted, `batch` when it is in none."""

    tenant: str
    document_id: str
    epoch: str
    version: int
    view: Mapping[str, Any] | None
    batch: str | None = None

    @property
    def is_deletion(self) -> bool:
        """Whether the document is gone."""
        return self.view is None


@dataclass(slots=True)
class _Watch:
    epoch: str | None = None  # of what was shown; None until there was something to show
    shown: dict[str, int] = field(default_factory=dict)  # document → version
    waiting: int = 0  # snapshots that are being read
    late: dict[str, Change] = field(default_factory=dict)  # what happened meanwhile


@dataclass(frozen=True, slots=True)
class Opening:
    """How to answer a watcher whose snapshot was read: `is_current` = it has this already; then what came late."""

    is_current: bool
    late: tuple[Change, ...]


@dataclass(slots=True)
class Fanout(Generic[M]):
    """Who gets which frame about one change."""

    snapshots: list[M] = field(default_factory=list)
    updates: list[M] = field(default_factory=list)  # of the document; for a deletion, the end
    feed: list[M] = field(default_factory=list)
    batch: Target | None = None  # the watched one that the document is in
    batch_members: list[M] = field(default_factory=list)


class Subscriptions(Generic[M]):
    """The watchers of one gateway. A member is whatever stands for a connection."""

    def __init__(self) -> None:
        self._watches: dict[Target, dict[M, _Watch]] = {}
        self._targets: dict[M, set[Target]] = {}
        self._batches: dict[Target, BatchProgress] = {}  # of the batches that are watched
        self._newest: OrderedDict[Target, Position] = OrderedDict()

    def join(self, target: Target, member: M) -> None:
        """`member` watches `target`; a snapshot is about to be read for it."""
        if target.kind == "batch":
            self._batches.setdefault(target, BatchProgress())
        watch = self._watches.setdefault(target, {}).setdefault(member, _Watch())
        watch.waiting += 1
        self._targets.setdefault(member, set()).add(target)

    def open(
        self, target: Target, member: M, epoch: str, versions: Mapping[str, int], have: Position | None = None
    ) -> Opening | None:
        """The snapshot that was read after `join`: its epoch and the version of each document in it.

        None when the member has left meanwhile.
        """
        watch = self._watches.get(target, {}).get(member)
        if watch is None:
            return None
        watch.waiting = max(0, watch.waiting - 1)
        watch.epoch, watch.shown = epoch, dict(versions)
        is_current = have is not None and have == Position(epoch, versions.get(target.name, _NOTHING))
        if watch.waiting:
            return Opening(is_current, ())
        late = tuple(c for c in watch.late.values() if c.epoch == epoch and _is_newer(c, watch))
        watch.late.clear()
        for change in late:
            watch.shown[change.document_id] = change.version
            if change.is_deletion and not target.is_feed:
                self.leave(target, member)
        return Opening(is_current, late)

    def fail(self, target: Target, member: M) -> None:
        """There is no snapshot to show: unless another is being read, `member` watches `target` no more."""
        watch = self._watches.get(target, {}).get(member)
        if watch is None:
            return
        watch.waiting = max(0, watch.waiting - 1)
        if not watch.waiting:
            self.leave(target, member)

    def stay(self, target: Target, member: M) -> None:
        """The snapshot could not be read and will be later: until then `member` watches on as if none were awaited."""
        if watch := self._watches.get(target, {}).get(member):
            watch.waiting = max(0, watch.waiting - 1)
            if not watch.waiting:
                watch.late.clear()  # the snapshot that is to come has it

    def leave(self, target: Target, member: M) -> None:
        """`member` does not watch `target` any more."""
        members = self._watches.get(target, {})
        if members.pop(member, None) is not None and not members:
            del self._watches[target]
            self._batches.pop(target, None)
        targets = self._targets.get(member, set())
        targets.discard(target)
        if not targets:
            self._targets.pop(member, None)

    def leave_all(self, member: M) -> None:
        """`member` is gone."""
        for target in list(self._targets.get(member, ())):
            self.leave(target, member)

    def targets_of(self, member: M) -> Set[Target]:
        """What `member` watches, or waits to."""
        return self._targets.get(member, set())

    def is_watched(self, tenant: str, document_id: str, batch: str | None = None) -> bool:
        """Whether anybody would be told of a change of this document."""
        target = Target.of_key(tenant, document_id)
        feeds = (Target.of_feed(tenant), Target.of_batch(tenant, batch or "")) if target.kind == "document" else ()
        return any(watched in self._watches for watched in (target, *feeds))

    def has_batches(self, tenant: str) -> bool:
        """Whether anybody watches a batch of the tenant's."""
        return any(target.tenant == tenant for target in self._batches)

    def recount(self, target: Target) -> None:
        """Everybody who watches the batch has joined anew: what was not heard of it is in what is about to be read."""
        if target in self._batches:
            self._batches[target] = BatchProgress()

    def fill(self, target: Target, epoch: str, found: Iterable[tuple[str, Standing]]) -> None:
        """All documents of a watched batch, as they were read after `join`."""
        if progress := self._batches.get(target):
            progress.fill(epoch, found)

    def progress(self, target: Target) -> dict[str, Any]:
        """How far the documents of a watched batch are together; empty for any other target."""
        progress = self._batches.get(target)
        return {"progress": progress.progress()} if progress else {}

    def watched(self) -> Iterable[tuple[Target, list[M]]]:
        """Everything that is watched, and by whom."""
        return [(target, list(members)) for target, members in self._watches.items()]

    def changed(self, change: Change) -> Fanout[M]:
        """Decide who is shown `change`, and remember that they were."""
        fanout: Fanout[M] = Fanout()
        document = Target.of_key(change.tenant, change.document_id)
        if not self._is_newest(document, change):
            return fanout
        for member, watch in self._watches.get(document, {}).items():
            if watch.waiting:
                watch.late[change.document_id] = change
            elif watch.epoch != change.epoch:
                watch.epoch, watch.shown = change.epoch, {change.document_id: change.version}
                (fanout.updates if change.is_deletion else fanout.snapshots).append(member)
            elif _is_newer(change, watch):
                watch.shown[change.document_id] = change.version
                fanout.updates.append(member)
        if document.kind == "document":
            fanout.feed = self._feed_members(Target.of_feed(change.tenant), change)
        if batch := self._batch_of(change):
            self._batches[batch].note(change.epoch, change.document_id, _standing(change))
            fanout.batch, fanout.batch_members = batch, self._feed_members(batch, change)
        if change.is_deletion:
            for member in fanout.updates:
                self.leave(document, member)
        return fanout

    def _batch_of(self, change: Change) -> Target | None:
        """The watched batch that the document is in; of a deleted one the name may be forgotten."""
        if change.batch is not None:
            target = Target.of_batch(change.tenant, change.batch)
            return target if target in self._batches else None
        if not change.is_deletion:
            return None
        mine = (target for target, progress in self._batches.items() if change.document_id in progress)
        return next((target for target in mine if target.tenant == change.tenant), None)

    def _feed_members(self, target: Target, change: Change) -> list[M]:
        members = []
        for member, watch in self._watches.get(target, {}).items():
            if watch.waiting:
                watch.late[change.document_id] = change
            elif watch.epoch == change.epoch and _is_newer(change, watch):
                watch.shown.pop(change.document_id, None)  # from here on what is newest is newest for everybody
                members.append(member)
        return members

    def _is_newest(self, document: Target, change: Change) -> bool:
        newest = self._newest.get(document)
        if newest is not None and newest.epoch == change.epoch and change.version <= newest.version:
            return False
        self._newest[document] = Position(change.epoch, change.version)
        self._newest.move_to_end(document)
        if len(self._newest) > _REMEMBERED:
            self._newest.popitem(last=False)
        return True


def _standing(change: Change) -> Standing:
    view = change.view
    return Standing(change.version, view["status"] if view else None, view["percent"] if view else 0.0)


def _is_newer(change: Change, watch: _Watch) -> bool:
    return change.version > watch.shown.get(change.document_id, _NOTHING)
