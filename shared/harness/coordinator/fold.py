"""The coordinator's shell: folds the log, keeps the assignments in MongoDB, sends what the core decides."""

import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Final

from msgspec.structs import replace

from shared.document import codec
from shared.events.document import (
    CONCLUDE,
    PLAN,
    Fact,
    Failure,
    Progress,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StageFailed,
    StagePlanned,
    WorkerLost,
    utcnow,
)
from shared.harness.coordinator.assignment import Assignment, GiveUp, Send, SetAside, cost, evolve, work_item
from shared.harness.coordinator.fair_turns import FairTurns
from shared.harness.coordinator.in_flight import InFlight
from shared.harness.coordinator.priority import NOTHING, circulating, price_of, spent
from shared.harness.coordinator.set_aside import FactsSetAside
from shared.harness.coordinator.waiting import Waiting
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.projecting.batch import Batch, Entry
from shared.projecting.fences import fenced, note
from shared.projecting.loop import Write
from shared.projecting.state_store import StateStore
from shared.runtime import logs, tracing
from shared.runtime.failpoints import provoke
from shared.storage.leases import LeaseBook, Workers
from shared.storage.mongo import Mongo, Row

log = logs.get(__name__)

_LOOK_SECONDS: Final = 2.0  # how often what is in flight is compared with leases and topic
_AGAIN_SECONDS: Final = 60.0  # how long a document stays set aside before it is tried again
_SAID_SECONDS: Final = 10.0  # how long a fact may take through the log before it is appended again
_QUEUE_SECONDS: Final = 2.0  # how often the places of waiting documents are published,
_FAR_SECONDS: Final = 8.0  # and of those that have _NEAR or more before them
_NEAR: Final = 10
_ROWS: Final = 1_000  # written at once
_WINDOW_SECONDS: Final = 3.0  # how often the number of live slots is read

Taken = Callable[[], Awaitable[Mapping[int, int] | None]]


async def unknown() -> None:
    """The consumed offsets are unknown: a slice is sent again after a fixed time."""


class CoordinatorFold:
    """One stage's coordinator, a fold of the topic `documents`."""

    def __init__(self, stage: str, mongo: Mongo, producer: Producer, max_attempts: int, taken: Taken = unknown) -> None:
        """`taken` returns the offsets up to which the workers have acknowledged their topic."""
        self._stage = stage
        self._leases = LeaseBook(mongo)
        self._workers = Workers(mongo)
        self._producer = producer
        self._waiting = Waiting(max_attempts)
        self._touched: set[str] = set()  # documents that changed since `_waiting` was told
        self._idle: frozenset[str] = frozenset()  # nothing is decided about these now
        self._taken = taken
        self._states: StateStore[Assignment] = StateStore(mongo.coordinator(stage), from_row)
        self._aside = FactsSetAside(mongo.coordinator(f"{stage}_aside"))
        self._changed: dict[str, Assignment] = {}  # and not written yet
        self._open: dict[str, Assignment] = {}
        self._flights = InFlight()
        self._turns = FairTurns()
        self._served: dict[str, float] = {}  # seconds of work that were sent, by document
        self._given_up: dict[str, tuple[int, float]] = {}  # the attempt that was ended last, and when it was said
        self._traces: dict[str, str] = {}  # that of the latest fact which belongs to one, by document
        self._places: dict[str, tuple[int, float]] = {}  # in the queue, as last told, and when
        self._set_aside: dict[str, float] = {}  # until when nothing is decided about a document
        self._published_at = 0.0
        self._slots = 0
        self._again_at = 0.0
        self._slots_at = self._looked_at = -_WINDOW_SECONDS
        self._circulating = 0  # documents that are sent again and again without a word

    async def start(self) -> None:
        """Take up the assignments that an earlier life left open, the oldest first."""
        found = await self._states.where({"active": True})
        self._follow(dict(sorted(found.items(), key=lambda each: each[1].state.uploaded_at)))
        await self._aside.start()

    async def apply(self, batch: Batch) -> Write:
        """Fold the batch into the assignments; the result writes those that changed, in this batch or before.

        A document whose fact cannot be folded is set aside with all its facts from that one on.
        """
        states = await self._states.load({entry.fact.document_id for entry in batch.facts})
        changed: dict[str, Assignment] = {}
        for entry in batch.facts:
            if self._aside.has(entry.fact.document_id):
                self._aside.keep(entry)
                continue
            with fenced("coordinator.fold", entry.fact.document_id) as outcome:
                self._fold(entry, states, changed)
            if outcome.error:
                self._aside.keep(entry)
                self._rest(entry.fact.document_id)
        self._keep(changed)
        return self._store

    def _fold(self, entry: Entry, states: dict[str, Assignment], changed: dict[str, Assignment]) -> None:
        fact = entry.fact
        provoke("coordinator.fold", fact.document_id)
        before = states.get(fact.document_id)
        if before and entry.offset <= before.offset:
            return  # a batch read again
        after = evolve(before, fact, self._stage)
        if (
            after and after is not before
        ):  # a fact that changes nothing is no answer: the slice would be sent again at once
            self._landed(fact)
            states[fact.document_id] = changed[fact.document_id] = replace(after, offset=entry.offset)
            if trace := tracing.of_record(entry.headers):
                self._traces[fact.document_id] = trace

    def _keep(self, changed: Mapping[str, Assignment]) -> None:
        self._states.keep(changed)
        self._changed |= changed
        self._follow(changed)

    async def _store(self) -> None:
        """Write every assignment that has changed since it was written, once, however often it did."""
        await self._aside.store()
        changed, self._changed = self._changed, {}
        while changed:  # the rows of some at a time: a replay has many, and they are larger than what they are made of
            some = {i: changed.pop(i) for i in list(islice(changed, _ROWS))}
            await self._states.store(some, {i: to_row(assignment) for i, assignment in some.items()})
        await self._aside.clear()

    def _landed(self, fact: Fact) -> None:
        """What has come back from a worker is in flight no more."""
        match fact:
            case SliceCompleted() | SliceFailed() | WorkerLost():
                number = fact.slice
            case StagePlanned():
                number = PLAN
            case StageCompleted():
                number = CONCLUDE
            case _:
                return
        if fact.stage != self._stage:
            return
        self._flights.landed(fact.document_id, number)
        self._served.pop(fact.document_id, None)  # what moves does not drift
        if isinstance(fact, StagePlanned):
            for follows in fact.done_at_once():
                self._flights.sent(fact.document_id, follows, None, time.monotonic())

    def _follow(self, changed: Mapping[str, Assignment]) -> None:
        for document_id, assignment in changed.items():
            if assignment.active:
                self._open[document_id] = assignment
                self._touched.add(document_id)
                self._turns.begin(document_id, assignment.tenant)
            else:
                self._touched.discard(document_id)
                self._waiting.remove(document_id)
                for kept in (self._open, self._served, self._given_up, self._traces, self._set_aside):
                    kept.pop(document_id, None)
                self._flights.forget(document_id)
                self._turns.forget(document_id)

    def status(self) -> Row:
        """The coordinator's fields of its status row, beside those of the fold."""
        return {"circulating": self._circulating, "set_aside": len(self._aside.documents | self._set_aside.keys())}

    async def decide(self) -> bool:
        """Send what is due and end what has ended."""
        now = time.monotonic()
        if now - self._again_at > _AGAIN_SECONDS:
            self._again_at = now
            await self._fold_again()
        if not self._open:
            self._circulating = 0
            return False
        if now - self._looked_at > _LOOK_SECONDS:
            await self._look(now)
        if now - self._slots_at > _WINDOW_SECONDS:
            self._slots, self._slots_at = await self._workers.slots(self._stage), now
        self._tell_waiting(now)
        for decision in self._waiting.decide(self._slots, self._turns):
            match decision:
                case Send(assignment, number):
                    await self._do(assignment, self._send(assignment, number))
                case GiveUp(assignment, error, final):
                    await self._do(assignment, self._give_up(assignment, error, final))
                case SetAside(assignment, reason):
                    note("coordinator.decide", assignment.document_id, reason)
                    self._rest(assignment.document_id)
        if now - self._published_at > _QUEUE_SECONDS:
            self._published_at = now
            self._circulating = circulating(self._open, self._flights.in_flight, self._served)
            self._publish_queue(now)
        return False

    def _tell_waiting(self, now: float) -> None:
        """Tell what has changed; what is set aside, or rests because it came back without a word, does not wait."""
        self._set_aside = {i: until for i, until in self._set_aside.items() if until > now}
        idle = frozenset(self._flights.resting(now) | self._set_aside.keys() | self._aside.documents)
        for i in self._touched | self._flights.changed | (idle ^ self._idle):
            if i in self._open and i not in idle:
                self._waiting.put(self._open[i], self._flights.in_flight.get(i, NOTHING), self._served.get(i))
            else:
                self._waiting.remove(i)
        self._idle = idle
        self._touched.clear()
        self._flights.changed.clear()

    async def _do(self, assignment: Assignment, doing: Awaitable[None]) -> None:
        with fenced("coordinator.do", assignment.document_id) as outcome:
            await doing
        if outcome.error:
            self._rest(assignment.document_id)

    def _rest(self, document_id: str) -> None:
        """Decide nothing about the document for a while; what went wrong was logged by its name."""
        self._set_aside[document_id] = time.monotonic() + _AGAIN_SECONDS

    async def _fold_again(self) -> None:
        """Try the facts that were set aside once more."""
        states = await self._states.load(self._aside.documents)
        changed: dict[str, Assignment] = {}
        self._aside.again(lambda entry: self._fold(entry, states, changed))
        self._keep(changed)

    def _publish_queue(self, now: float) -> None:
        """Say to the next in line how many are before them, where that has changed; to the first of them more often."""
        last, self._places = self._places, {}
        for assignment, place in self._waiting.queue():
            i = assignment.document_id
            before, at = last.get(i, (None, 0.0))
            if place == before or (before is not None and place >= _NEAR and now - at < _FAR_SECONDS):
                self._places[i] = last[i]
                continue
            self._places[i] = place, now
            self._producer.tick(
                Progress(
                    document_id=i,
                    tenant=assignment.tenant,
                    stage=self._stage,
                    attempt=assignment.stage_state.attempt,
                    slice=PLAN,
                    fraction=0.0,
                    code="queue.waiting",
                    params={"ahead": place},
                    at=utcnow(),
                )
            )

    async def _send(self, assignment: Assignment, number: int) -> None:
        i, tenant = assignment.document_id, assignment.tenant
        provoke("coordinator.do", i)
        item = work_item(assignment, number)
        headers = tracing.headers(self._traces.get(i))
        place = await self._producer.send(topics.slices(self._stage), item.model_dump_json().encode(), headers=headers)
        if i not in self._served:
            self._served[i] = spent(assignment, self._flights.in_flight.get(i, set()))
        self._served[i] += cost(assignment)
        self._flights.sent(i, number, place, time.monotonic())
        self._turns.give(i, tenant, price_of(assignment, number))

    async def _give_up(self, assignment: Assignment, error: Failure, final: bool) -> None:
        now, attempt = time.monotonic(), assignment.stage_state.attempt
        said, at = self._given_up.get(assignment.document_id, (0, 0.0))
        if said == attempt and now - at < _SAID_SECONDS:
            return  # on its way back through the log
        self._given_up[assignment.document_id] = (attempt, now)
        await self._producer.append(
            StageFailed.claim(
                document_id=assignment.document_id,
                claim=f"{self._stage}/{attempt}",
                tenant=assignment.tenant,
                cause=assignment.state.last_event,
                at=utcnow(),
                producer=f"{self._stage}-coordinator",
                stage=self._stage,
                attempt=attempt,
                error=error,
                final=final,
            )
        )

    async def _look(self, now: float) -> None:
        """Believe the leases and the topic, not our memory: what is adrift is to be sent again."""
        self._looked_at = now
        taken = await self._taken()  # before the leases: what was taken and has none then has ended, or never will
        held = await self._leases.in_flight(self._stage)
        # A worker appends its fact before it ends its lease: a landed slice may still be held, but is not in flight.
        theirs = {i: held[i] & {*self._open[i].outstanding()} for i in held.keys() & self._open.keys()}
        for document_id, number in self._flights.look(theirs, taken, now):
            log.warning("a slice came back without a word", document_id=document_id, stage=self._stage, slice=number)


def to_row(assignment: Assignment) -> Row:
    """An assignment as it is stored; `active` is what a coordinator looks for when it starts."""
    return {
        "stage": assignment.stage,
        "offset": assignment.offset,
        "version": assignment.offset + 1,
        "active": assignment.active,
        "settled": codec.to_row(assignment.state),
    }


def from_row(row: Row) -> Assignment:
    """The assignment of a stored row."""
    return Assignment(codec.from_row(row["settled"]), row["stage"], row["offset"])
