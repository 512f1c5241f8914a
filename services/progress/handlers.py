"""What the live projection does beside folding: run the policy, store results, sweep leases, say how it is."""

import asyncio
import time
from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Final

from services.progress.deciders import policy, sweeper
from services.progress.deciders.background_tasks import BackgroundTasks
from services.progress.deciders.due_documents import DueDocuments
from services.progress.deciders.fact_appender import SAID_SECONDS, FactAppender
from services.progress.deciders.janitor import Janitor
from services.progress.projection import generations, stored_results
from services.progress.projection.eraser import erase, erase_elsewhere
from services.progress.projection.projector import Projector
from services.progress.projection.result_backlog import ResultBacklog
from services.progress.projection.snapshot_export import SnapshotExport
from services.progress.projection.stored_results import StoredResults
from services.progress.rebuild.rebuild_job import RebuildTicks
from shared.document.state import TERMINAL, DocumentState
from shared.errors import Transient
from shared.events.document import utcnow
from shared.kafka.dead_letters import park
from shared.kafka.producer import Producer
from shared.projecting import heartbeat
from shared.projecting.batch import Batch
from shared.projecting.checkpoint import CheckpointGone
from shared.projecting.fences import PASSES, fenced
from shared.projecting.loop import Loop, Write
from shared.runtime import logs
from shared.runtime.failpoints import provoke
from shared.runtime.tracebacks import summarize
from shared.storage.blobs import Blobs
from shared.storage.leases import LeaseBook, answered
from shared.storage.mongo import OUTAGES, Mongo, PyMongoError, Row

log = logs.get(__name__)

_AT_ONCE: Final = 100  # documents that are looked at between two batches
_HELD_SECONDS: Final = 0.25  # how soon a document is looked at again whose work has to stop first
_ASIDE_SECONDS: Final = 30.0  # how long one is left alone that cannot be decided
_SWEEP_SECONDS: Final = 1.0
_TIDY_SECONDS: Final = 3600.0
_SNAPSHOT_SECONDS: Final = 60.0


class Handover(RuntimeError):
    """Another generation takes over: this process ends and is started again on the new one."""


class LiveProjection:
    """The fold of the live generation."""

    def __init__(
        self,
        database: Mongo,
        blobs: Blobs,
        projector: Projector,
        results: StoredResults,
        producer: Producer,
        loaders: int,
    ) -> None:
        self._mongo = database
        self._leases = LeaseBook(database)
        self._blobs = blobs
        self._projector = projector
        self._results = results
        self._producer = producer
        self._appender = FactAppender(producer)
        self._due = DueDocuments()
        self.due = asyncio.Event()  # set when a document is due at once that no record is about
        self._errands = BackgroundTasks(loaders, self._done)
        self._backlog = ResultBacklog(results, projector.states, lambda: bool(self._errands), self._let_go)
        self._waiting: set[str] = set()  # to be erased, once results of them are stored no more
        self._stored: dict[str, dict[str, str]] = {}  # the results that are where their endpoints read them
        self._expired: dict[tuple[str, int], float] = {}  # leases, and since when they have been seen so
        self._erased: set[str] = set()  # and not known to be so by the log yet
        self._makes_way = False

    async def start(self) -> None:
        """Take up what an earlier life left undone."""
        self._due.now(await self._projector.unfinished())

    async def apply(self, batch: Batch) -> Write:
        """Fold a batch; park unreadable records. Raises Handover."""
        self._check_handover()
        for record, reason in batch.unreadable:
            await park(self._producer, record, reason)
        write = await self._projector.apply(batch)
        self._appender.came_back(batch)
        return write

    async def decide(self) -> bool:
        """Run the policy over documents that have something due; whether more of them wait. Raises Handover."""
        self._check_handover()
        self._take_changed()
        if ids := self._due.take(time.monotonic(), _AT_ONCE):
            states = await self._projector.states(ids)
            ending = [i for i, state in states.items() if state.status in ("cancelling", "deleted")]
            held = await self._leases.at_work_among(ending)
            for document_id, state in states.items():
                with fenced("progress.decide", document_id) as outcome:
                    provoke("progress.decide", document_id)
                    self._decide(state, held=document_id in held)
                if outcome.error:
                    self._due.at(time.monotonic() + _ASIDE_SECONDS, document_id)
        return bool(self._due)

    def _take_changed(self) -> None:
        """What was written since the last look: whoever has not ended is due, of the others little is left to do."""
        projector = self._projector
        self._due.now(projector.changed)
        for document_id in projector.ended:
            self._stored.pop(document_id, None)
        if projector.unloaded:
            self._backlog.wake()
        projector.changed.clear()
        projector.ended.clear()
        projector.unloaded = False

    def _check_handover(self) -> None:
        """End here, between two batches: the checkpoint covers what is written, so that it can be compared."""
        if self._makes_way:
            raise Handover("a rebuild takes over")

    def _decide(self, state: DocumentState, *, held: bool) -> None:
        """Append the facts due for one document and begin its tasks; `held`: a worker has a live lease of it."""
        document_id, now, clock = state.document_id, utcnow(), time.monotonic()
        stored = self._is_stored(state)
        at_work = held or self._errands.under_way(document_id)
        if self._backlog.under_way(document_id):
            self._waiting.add(document_id)
            at_work = True
        if state.status == "deleted":
            self._stored.pop(document_id, None)
            at_work = not state.erased and not self._is_erased(state, at_work=at_work)
        for fact in policy.decide(state, now, stored=stored, at_work=at_work):
            self._appender.append(fact)
            self._due.at(clock + SAID_SECONDS, document_id)
        if held:
            self._due.at(clock + _HELD_SECONDS, document_id)
        for stage_state in state.stages.values():
            if state.status == "retrying" and stage_state.due_at and stage_state.due_at > now:
                self._due.at(clock + (stage_state.due_at - now).total_seconds(), document_id)
        if stored and state.status in TERMINAL:
            self._stored.pop(document_id, None)

    def _is_stored(self, state: DocumentState) -> bool:
        """Whether every result is in its collection; starts the storing where it is not and somebody waits for it."""
        if state.status == "deleted":
            return True
        wanted = stored_results.wanted(state)
        if self._stored.get(state.document_id, {}) == wanted:
            return True
        if state.status in TERMINAL:
            self._backlog.wake()
            return True
        if self._errands.under_way(state.document_id):
            return False

        async def load() -> None:
            await self._results.load([state])
            self._stored[state.document_id] = wanted

        self._errands.start("progress.store", state.document_id, load)
        return False

    def _is_erased(self, state: DocumentState, *, at_work: bool) -> bool:
        """Whether nothing of a deleted document is stored; starts the erasing once no process writes about it."""

        async def everywhere() -> None:
            await erase(self._mongo, self._projector.generation, [state.document_id])
            await erase_elsewhere(self._mongo, self._projector.generation, state.document_id)
            await self._blobs.delete_document(state.tenant, state.document_id)
            self._erased.add(state.document_id)

        if state.document_id in self._erased:
            return True
        if not at_work:
            self._errands.start("progress.erase", state.document_id, everywhere)
        return False

    def _let_go(self, ids: Collection[str]) -> None:
        """Look again at what waited for the backlog."""
        if waited := self._waiting.intersection(ids):
            self._waiting -= waited
            self._due.now(waited)
            self.due.set()

    def _done(self, document_id: str, error: Exception | None) -> None:
        """Look at the document again once its errand has ended."""
        if error:
            self._due.at(time.monotonic() + _ASIDE_SECONDS, document_id)
        else:
            self._due.now([document_id])
            self.due.set()

    async def append(self) -> None:
        """Append the decided facts until cancelled. Raises Unconfirmed."""
        await self._appender.run()

    async def close(self) -> None:
        """End what runs beside the fold."""
        await self._errands.close()

    async def store_old(self, loop: Loop) -> None:
        """Store the results that nobody waits for until cancelled, once the fold has caught up with the log."""
        while True:
            await self._backlog.wait()
            if loop.caught_up:
                try:
                    await self._backlog.work_off()
                    continue
                except PASSES as error:
                    log.warning("results wait for the store or the database", reason=summarize(error))
            await asyncio.sleep(_SWEEP_SECONDS)

    async def sweep(self, loop: Loop) -> None:
        """Look for expired leases and silent jobs until cancelled, once every appended fact is read."""
        while True:
            if loop.caught_up:
                await answered(self._sweep)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _sweep(self) -> None:
        found, clock = await self._leases.expired(), time.monotonic()
        seen = ((lease["_id"], lease["strikes"]) for lease in found)
        self._expired = {key: self._expired.get(key, clock) for key in seen}
        states = await self._projector.states({lease["document_id"] for lease in found})
        for lease in found:
            with fenced("progress.sweep", lease["document_id"]):
                provoke("progress.sweep", lease["document_id"])
                await self._judge(lease, states.get(lease["document_id"]))
        for fact in await self._projector.jobs.silent(utcnow()):
            self._appender.append(fact)

    async def _judge(self, lease: Row, state: DocumentState | None) -> None:
        since = self._expired[lease["_id"], lease["strikes"]]
        verdict = sweeper.judge(lease, state, utcnow(), timedelta(seconds=time.monotonic() - since))
        if verdict == sweeper.OVER:
            await self._leases.close(lease)
        elif verdict is not None:
            log.warning("worker lost", work=lease["_id"], strike=lease["strikes"])
            await self._producer.append(verdict)
            await self._leases.reported(lease)

    async def tidy(self, loop: Loop, janitor: Janitor) -> None:
        """Run the janitor every hour until cancelled, while the fold has caught up with the log."""
        while True:
            if loop.caught_up and not loop.halted:
                try:
                    await janitor.clean()
                except (Transient, *OUTAGES) as error:
                    log.warning("the janitor is stopped by store or database and comes again", reason=summarize(error))
            await asyncio.sleep(_TIDY_SECONDS if loop.caught_up else _SWEEP_SECONDS)

    async def keep_snapshots(self, loop: Loop, export: SnapshotExport) -> None:
        """Make a snapshot of the log whenever it has grown enough, until cancelled; results come first."""
        while True:
            await asyncio.sleep(_SNAPSHOT_SECONDS)
            if loop.caught_up and not loop.halted and self._backlog.is_empty:
                try:
                    await export.export_if_due()
                except (CheckpointGone, Transient, PyMongoError) as error:  # also a projection that is dropped
                    log.warning("a snapshot is broken off and made later", reason=summarize(error))

    async def report(self, loop: Loop) -> None:
        """Say every second how far the fold is, for readiness and for people; make way for another generation."""
        rebuilds = RebuildTicks(self._mongo, self._producer)
        while True:
            await answered(partial(self._report, loop, rebuilds))
            if loop.halted:  # there is no next batch
                self._check_handover()
            await asyncio.sleep(heartbeat.EVERY_SECONDS)

    async def _report(self, loop: Loop, rebuilds: RebuildTicks) -> None:
        more = {
            "generation": self._projector.generation,
            "unreadable": self._projector.unreadable,
            "set_aside": self._projector.set_aside,
        }
        await heartbeat.publish(self._mongo, "progress", loop, more)
        await rebuilds.publish(loop.positions)
        self._makes_way = await generations.must_make_way(self._mongo)
