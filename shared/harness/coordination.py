"""The coordinator's shell: folds the log, keeps the assignments in MongoDB, sends what the core decides."""

import time
from collections.abc import Mapping
from itertools import islice
from typing import Final

from msgspec.structs import replace

from shared import settled, topics, tracing
from shared.events import (
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
from shared.folding import Batch, Checkpoint, Write, partitions_of
from shared.harness.coordinator import Assignment, GiveUp, Send, cost, decide, evolve, queue
from shared.harness.items import WorkItem
from shared.kafka import Log
from shared.leases import LeaseBook, Workers
from shared.mongo import Mongo, Row
from shared.states import States

_LOOK_AGAIN_SECONDS: Final = 30.0  # how often what is in flight without a lease is sent again
_QUEUE_SECONDS: Final = 2.0  # how often the waiting are told their place
_QUEUE: Final = 100  # how many of them
_WINDOW_SECONDS: Final = 3.0  # how often the number of live slots is read


class Coordination:
    """One stage's coordinator, a fold of the topic `documents`."""

    def __init__(self, stage: str, mongo: Mongo, sink: Log, max_attempts: int) -> None:
        self._stage = stage
        self._leases = LeaseBook(mongo)
        self._workers = Workers(mongo)
        self._log = sink
        self._max_attempts = max_attempts
        self._states: States[Assignment] = States(mongo.coordinator(stage), from_row)
        self._changed: dict[str, Assignment] = {}  # and not written yet
        self._open: dict[str, Assignment] = {}
        self._in_flight: dict[str, set[int]] = {}
        self._served: dict[str, float] = {}
        self._given_up: dict[str, int] = {}  # the attempt that was ended last, by document
        self._traces: dict[str, str] = {}  # that of the latest fact which belongs to one, by document
        self._places: dict[str, int] = {}  # in the queue, as last told
        self._told_at = 0.0
        self._slots = 0
        self._slots_at = self._looked_at = -_LOOK_AGAIN_SECONDS

    async def start(self) -> None:
        """Take up the assignments that an earlier life left open."""
        self._open = await self._states.where({"active": True})

    async def apply(self, batch: Batch) -> Write:
        """Fold the batch into the assignments; the result writes those that changed, in this batch or before."""
        states = await self._states.load({entry.fact.document_id for entry in batch.facts})
        changed: dict[str, Assignment] = {}
        for entry in batch.facts:
            fact = entry.fact
            before = states.get(fact.document_id)
            if before and entry.offset <= before.offset:
                continue  # a batch read again
            after = evolve(before, fact, self._stage)
            self._landed(fact)
            if after and after is not before:
                states[fact.document_id] = changed[fact.document_id] = replace(after, offset=entry.offset)
                if trace := tracing.of_record(entry.headers):
                    self._traces[fact.document_id] = trace
        self._states.keep(changed)
        self._changed |= changed
        self._follow(changed)
        return self._store

    async def _store(self) -> None:
        """Write every assignment that has changed since it was written, once, however often it did."""
        changed, self._changed = self._changed, {}
        await self._states.store(changed, {i: to_row(assignment) for i, assignment in changed.items()})

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
        if fact.stage == self._stage:
            self._in_flight.get(fact.document_id, set()).discard(number)

    def _follow(self, changed: Mapping[str, Assignment]) -> None:
        for document_id, assignment in changed.items():
            if assignment.active:
                self._open[document_id] = assignment
            else:
                for kept in (self._open, self._in_flight, self._served, self._given_up, self._traces):
                    kept.pop(document_id, None)

    async def decide(self) -> bool:
        """Send what is due and end what has ended."""
        now = time.monotonic()
        if not self._open:
            return False
        if now - self._looked_at > _LOOK_AGAIN_SECONDS:
            await self._look_again(now)
        if now - self._slots_at > _WINDOW_SECONDS:
            self._slots, self._slots_at = await self._workers.slots(self._stage), now
        decisions = decide(self._open.values(), self._in_flight, self._served, self._slots, self._max_attempts)
        for decision in decisions:
            match decision:
                case Send(assignment, number):
                    await self._send(assignment, number)
                case GiveUp(assignment, error, final):
                    await self._give_up(assignment, error, final)
        if now - self._told_at > _QUEUE_SECONDS:
            self._told_at = now
            self._tell_the_queue()
        return False

    def _tell_the_queue(self) -> None:
        """Say to the next in line how many are before them, where that has changed."""
        waiting = islice(queue(self._open.values(), self._in_flight, self._served), _QUEUE)
        places = {assignment.document_id: (assignment, place) for assignment, place in waiting}
        for document_id, (assignment, place) in places.items():
            if self._places.get(document_id) != place:
                self._log.tick(
                    Progress(
                        document_id=document_id,
                        tenant=assignment.tenant,
                        stage=self._stage,
                        attempt=assignment.job.attempt,
                        slice=PLAN,
                        fraction=0.0,
                        code="queue.waiting",
                        params={"ahead": place},
                        at=utcnow(),
                    )
                )
        self._places = {document_id: place for document_id, (_, place) in places.items()}

    async def _send(self, assignment: Assignment, number: int) -> None:
        item = WorkItem.of(assignment, self._stage, number)
        headers = tracing.headers(self._traces.get(assignment.document_id))
        await self._log.send(topics.slices(self._stage), item.model_dump_json().encode(), headers=headers)
        self._in_flight.setdefault(assignment.document_id, set()).add(number)
        share = self._served.get(assignment.document_id, 0.0)
        self._served[assignment.document_id] = share + cost(assignment)

    async def _give_up(self, assignment: Assignment, error: Failure, final: bool) -> None:
        if self._given_up.get(assignment.document_id) == assignment.job.attempt:
            return  # on its way back through the log
        self._given_up[assignment.document_id] = assignment.job.attempt
        await self._log.append(
            StageFailed.claim(
                document_id=assignment.document_id,
                claim=f"{self._stage}/{assignment.job.attempt}",
                tenant=assignment.tenant,
                cause=assignment.state.last_event,
                at=utcnow(),
                producer=f"{self._stage}-coordinator",
                stage=self._stage,
                attempt=assignment.job.attempt,
                error=error,
                final=final,
            )
        )

    async def _look_again(self, now: float) -> None:
        """Believe the leases, not our memory: whatever has no live lease is to be sent (again)."""
        self._looked_at = now
        held = await self._leases.in_flight(self._stage)
        # A worker says its fact before it ends its lease: what has landed is held, and in flight no more.
        self._in_flight = {i: held[i] & {*self._open[i].outstanding()} for i in held.keys() & self._open.keys()}


def to_row(assignment: Assignment) -> Row:
    """An assignment as it is stored; `active` is what a coordinator looks for when it starts."""
    return {
        "stage": assignment.stage,
        "offset": assignment.offset,
        "version": assignment.offset + 1,
        "active": assignment.active,
        "settled": settled.to_row(assignment.state),
    }


def from_row(row: Row) -> Assignment:
    """The assignment of a stored row."""
    return Assignment(settled.from_row(row["settled"]), row["stage"], row["offset"])


async def checkpoint_of(stage: str, mongo: Mongo, partitions: int) -> Checkpoint:
    """The coordinator's checkpoint; where there is none, a new life begins at offset 0 with no states."""
    checkpoint = Checkpoint(mongo, "coordinator", stage)
    if not await checkpoint.exists():
        await mongo.coordinator(stage).drop()
        await checkpoint.create(partitions_of([topics.DOCUMENTS], partitions))
    return checkpoint
