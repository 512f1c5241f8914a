"""What the live projection does beside folding: run the policy, store results, sweep leases, say how it is."""

import asyncio
import time
from typing import Final

from services.progress import generations, policy, sweeper
from services.progress.erasing import erase_elsewhere
from services.progress.janitor import Janitor
from services.progress.projector import Projector
from services.progress.rebuild_job import RebuildTicks
from services.progress.results import Results
from shared import logs, status
from shared.blobs import Blobs
from shared.document import TERMINAL, DocumentState
from shared.errors import Transient
from shared.events import Record, utcnow
from shared.failpoints import provoke
from shared.fences import PASSES, fenced, told
from shared.folding import Batch, Loop, Write
from shared.kafka import Log
from shared.leases import LeaseBook
from shared.mongo import Mongo, Row
from shared.parking import park

log = logs.get(__name__)

_SAID_SECONDS: Final = 10.0  # how long a fact may take through the log before it is said again
_SWEEP_SECONDS: Final = 1.0
_TIDY_SECONDS: Final = 3600.0
_AGAIN_SECONDS: Final = 1.0  # after an outage
_ASIDE_SECONDS: Final = 30.0
_WAITING: Final = frozenset({"processed", "cancelling", "retrying"})  # states that something other than a fact ends


class Handover(RuntimeError):
    """Another generation takes over: this process ends and is started again on the new one."""


class LiveProjection:
    """The fold of the live generation."""

    def __init__(
        self, database: Mongo, blobs: Blobs, projector: Projector, results: Results, sink: Log, loaders: int
    ) -> None:
        self._mongo = database
        self._leases = LeaseBook(database)
        self._blobs = blobs
        self._projector = projector
        self._results = results
        self._log = sink
        self._due: set[str] = set()
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(loaders)
        self._stored: dict[str, dict[str, str]] = {}
        self._said: dict[str, float] = {}
        self._makes_way = False

    async def start(self) -> None:
        """Take up what an earlier life left undone."""
        self._due = {*await self._projector.unfinished(), *await self._results.unloaded()}

    async def apply(self, batch: Batch) -> Write:
        """Fold a batch; what nobody can read is parked. Raises Handover."""
        self._check_handover()
        for record, reason in batch.unreadable:
            await park(self._log, record, reason)
        return await self._projector.apply(batch)

    async def decide(self) -> None:
        """Run the policy over every document that has something due. Raises Handover."""
        self._check_handover()
        self._due |= self._projector.changed
        self._projector.changed.clear()
        if not self._due:
            return
        states = await self._projector.states(self._due)
        for document_id in list(self._due):
            state = states.get(document_id)
            with fenced("progress.decide", document_id) as outcome:
                provoke("progress.decide", document_id)
                if state is None or not await self._decide(state):
                    self._due.discard(document_id)
            if outcome.error:
                self._set_aside(document_id)

    def _set_aside(self, document_id: str) -> None:
        """Look at a document that cannot be decided again after a while, or with its next fact."""
        self._due.discard(document_id)
        asyncio.get_running_loop().call_later(_ASIDE_SECONDS, self._due.add, document_id)

    def _check_handover(self) -> None:
        """End here, between two batches: the checkpoint covers what is written, so that it can be compared."""
        if self._makes_way:
            raise Handover("a rebuild takes over")

    async def _decide(self, state: DocumentState) -> bool:
        """Say what is due for one document; whether it has to be looked at again without a new fact."""
        stored = self._is_stored(state)
        at_work = state.status in ("cancelling", "deleted") and await self._at_work(state.document_id)
        if state.status == "deleted" and not state.erased and not at_work:
            await erase_elsewhere(self._mongo, self._projector.generation, state.document_id)
            await self._blobs.delete_document(state.tenant, state.document_id)
        for fact in policy.decide(state, utcnow(), stored=stored, at_work=at_work):
            await self._say(fact)
        if stored and state.status in TERMINAL:
            self._stored.pop(state.document_id, None)
        return state.status in _WAITING or not stored or (state.status == "deleted" and not state.erased)

    async def _say(self, fact: Record) -> None:
        now = time.monotonic()
        if now - self._said.get(fact.event_id, -_SAID_SECONDS) < _SAID_SECONDS:
            return  # on its way back through the log
        self._said = {i: at for i, at in self._said.items() if now - at < _SAID_SECONDS} | {fact.event_id: now}
        await self._log.append(fact)

    def _is_stored(self, state: DocumentState) -> bool:
        """Whether every result is in its collection; starts the storing where it is not."""
        if state.status == "deleted":
            return True
        if self._is_loading(state.document_id):
            return False
        wanted = self._results.wanted(state)
        if self._stored.get(state.document_id, {}) == wanted:
            return True
        self._loading[state.document_id] = asyncio.create_task(self._load(state, wanted))
        return False

    def _is_loading(self, document_id: str) -> bool:
        """Whether results of the document are on their way into the collections."""
        task = self._loading.get(document_id)
        if task is None or not task.done():
            return task is not None
        self._loading.pop(document_id).result()  # what is left to raise is no document's: it ends the process
        return False

    async def _load(self, state: DocumentState, wanted: dict[str, str]) -> None:
        async with self._places:
            try:
                await self._results.load([state])
            except PASSES as error:
                log.warning("storing waits for the store or the database", reason=told(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                return
        self._stored[state.document_id] = wanted

    async def _at_work(self, document_id: str) -> bool:
        """Whether somebody may still write about the document: a worker with a live lease, or a loader of ours."""
        if self._is_loading(document_id):
            return True
        return await self._leases.at_work(document_id)

    async def sweep(self, loop: Loop) -> None:
        """Look for leases that expired without an end and for silent jobs, for ever, once all that is said is read."""
        while True:
            found = await self._leases.expired() if loop.caught_up else []
            states = await self._projector.states({lease["document_id"] for lease in found})
            for lease in found:
                with fenced("progress.sweep", lease["document_id"]):
                    provoke("progress.sweep", lease["document_id"])
                    await self._judge(lease, states.get(lease["document_id"]))
            for fact in await self._projector.jobs.silent(utcnow()) if loop.caught_up else ():
                await self._say(fact)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _judge(self, lease: Row, state: DocumentState | None) -> None:
        verdict = sweeper.judge(lease, state, utcnow())
        if verdict == sweeper.OVER:
            await self._leases.close(lease)
        elif verdict is not None:
            log.warning("worker lost", work=lease["_id"], strike=lease["strikes"])
            await self._log.append(verdict)
            await self._leases.reported(lease)

    async def tidy(self, loop: Loop, janitor: Janitor) -> None:
        """Let the janitor go round every hour, for ever, while the fold knows what the log knows."""
        while True:
            if loop.caught_up and not loop.halted:
                try:
                    await janitor.clean()
                except Transient as error:
                    log.warning("the janitor is stopped by the store and comes again", reason=str(error))
            await asyncio.sleep(_TIDY_SECONDS if loop.caught_up else _SWEEP_SECONDS)

    async def report(self, loop: Loop) -> None:
        """Say every second how far the fold is, for readiness and for people; make way for another generation."""
        rebuilds = RebuildTicks(self._mongo, self._log)
        while True:
            more = {"generation": self._projector.generation, "unreadable": self._projector.unreadable}
            await status.tell(self._mongo, "progress", loop, more)
            await rebuilds.tell(loop.positions)
            self._makes_way = await generations.must_make_way(self._mongo)
            if loop.halted:  # there is no next batch
                self._check_handover()
            await asyncio.sleep(status.EVERY_SECONDS)
