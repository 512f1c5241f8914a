"""A small world for properties: deciders, workers, leases and a log, moved by choices that Hypothesis draws.

Everything that decides is the real code (`coordinator`, `policy`, `sweeper`); what is simulated is what surrounds it:
queues, leases, clocks, workers that succeed, fail, vanish and come back as zombies, people who press buttons.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import history
import workers

from services.progress import policy, sweeper
from shared.document import evolve
from shared.events import (
    CONCLUDE,
    PLAN,
    Fact,
    Failure,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StagePlanned,
    WorkerLost,
)
from shared.harness import coordinator
from shared.harness.coordinator import Assignment, Send
from shared.harness.items import WorkItem

STAGES = ("ocr", "chunk", "extract")
SLOTS = 2
MAX_ATTEMPTS = 2
ENDED = {"completed", "failed", "cancelled", "deleted"}


class Choices:
    """Numbers that somebody else drew; zeros when they are used up."""

    def __init__(self, tape: Sequence[int]) -> None:
        self._tape = iter(tape)
        self.left = len(tape)

    def below(self, limit: int) -> int:
        self.left -= 1
        return next(self._tape, 0) % limit if limit else 0


@dataclass
class Lease:
    item: WorkItem
    strikes: int = 0
    live: bool = False
    ended: bool = False
    reported: int | None = None

    def row(self) -> dict[str, Any]:
        about = self.item.model_dump(include={"document_id", "tenant", "stage", "attempt", "plan", "slice"})
        return {**about, "strikes": self.strikes, "reported": self.reported, "ended": self.ended}


@dataclass
class Hand:
    """A worker with an item: `strike` is its fencing token, a zombie one that does not know it lost the lease."""

    item: WorkItem
    strike: int


@dataclass
class Desk:
    """A coordinator with its fold and what it remembers between two decisions."""

    stage: str
    at: int = 0
    assignment: Assignment | None = None
    in_flight: set[int] = field(default_factory=set)
    given_up: int | None = None


class World:
    def __init__(self, tape: Sequence[int]) -> None:
        self.choices = Choices(tape)
        self.now = history.at(0)
        self.log: list[Fact] = [history.uploaded()]
        self.at = 0
        self.state: Any = None
        self.desks = {stage: Desk(stage) for stage in STAGES}
        self.queue: dict[str, list[WorkItem]] = {stage: [] for stage in STAGES}
        self.leases: dict[str, Lease] = {}
        self.hands: list[Hand] = []
        self.zombies: list[Hand] = []
        self.asked = 0

    # --- what may happen, one thing at a time -------------------------------------------------------------------

    def run(self, *, people: bool = True) -> None:
        """Let whatever the choices say happen, until they are used up."""
        happenings = [
            self.project, self.coordinate, self.claim, self.finish, self.coordinate, self.claim, self.finish,
            self.project, self.lose, self.sweep, self.wait, self.look_again, self.wake, self.repeat, self.restart,
            *([self.press] if people else []),
        ]  # fmt: skip
        while self.choices.left > 0:
            happenings[self.choices.below(len(happenings))]()

    def settle(self) -> None:
        """Nothing goes wrong any more: zombies say their last word, then everybody works until nothing is left."""
        while self.zombies:
            self._speak(self.zombies.pop())
        for _ in range(80):
            before = len(self.log)
            self.now += timedelta(minutes=10)
            for lease in self.leases.values():
                lease.live = any(h.item.work_id == lease.item.work_id for h in self.hands)
            self.project(everything=True)
            self.sweep()
            for desk in self.desks.values():
                desk.in_flight = {hand.item.slice for hand in self.hands if hand.item.stage == desk.stage}
                desk.given_up = None
                self.coordinate(desk, everything=True)
            for stage in STAGES:
                while self.queue[stage]:
                    self.claim(stage)
            while self.hands:
                self.finish(kindly=True)
            self.project(everything=True)
            if len(self.log) == before and self.state.status in ENDED:
                return

    # --- the deciders ---------------------------------------------------------------------------------------------

    def project(self, *, everything: bool = False) -> None:
        for fact in self._news(self, everything):
            self.state = evolve(self.state, fact)
        if self.at < len(self.log) or self.state is None:
            return
        stored = everything or bool(self.choices.below(2))
        self.log += policy.decide(self.state, self.now, stored=stored, at_work=self._at_work())

    def coordinate(self, desk: Desk | None = None, *, everything: bool = False) -> None:
        desk = desk or self.desks[STAGES[self.choices.below(3)]]
        for fact in self._news(desk, everything):
            desk.assignment = coordinator.evolve(desk.assignment, fact, desk.stage)
            _landed(desk, fact)
            if desk.assignment and not desk.assignment.active:
                desk.in_flight, desk.given_up = set(), None
        if desk.at < len(self.log) or not desk.assignment or not desk.assignment.active:
            return
        flying = {history.DOCUMENT: desk.in_flight}
        for decision in coordinator.decide([desk.assignment], flying, {}, SLOTS, MAX_ATTEMPTS):
            if isinstance(decision, Send):
                self.queue[desk.stage].append(WorkItem.of(desk.assignment, desk.stage, decision.slice))
                desk.in_flight.add(decision.slice)
            elif desk.given_up != desk.assignment.job.attempt:
                desk.given_up = desk.assignment.job.attempt
                self.log.append(
                    history.given_up(
                        desk.stage, desk.assignment.job.attempt, final=decision.final, error=decision.error
                    )
                )

    def sweep(self) -> None:
        for lease in self.leases.values():
            if lease.live or lease.ended:
                continue
            verdict = sweeper.judge(lease.row(), self.state, self.now)
            if verdict == sweeper.OVER:
                lease.ended = True
            elif verdict is not None:
                self.log.append(verdict)
                lease.reported = lease.strikes

    # --- the workers ----------------------------------------------------------------------------------------------

    def claim(self, stage: str | None = None) -> None:
        stage = stage or STAGES[self.choices.below(3)]
        if not self.queue[stage]:
            return
        item = self.queue[stage].pop(self.choices.below(len(self.queue[stage])))
        lease = self.leases.setdefault(item.work_id, Lease(item))
        if lease.ended or lease.live:
            return
        lease.live, lease.strikes = True, lease.strikes + 1
        self.hands.append(Hand(item, lease.strikes))
        if item.opens and lease.strikes <= sweeper.MAX_LOSSES:
            self.log.append(workers.start(item, self.now))

    def finish(self, *, kindly: bool = False) -> None:
        if not self.hands:
            return
        hand = self.hands.pop(self.choices.below(len(self.hands)))
        lease = self.leases[hand.item.work_id]
        lease.live = False
        if not kindly and self.choices.below(8) == 7:
            return  # it died with the word on its lips
        lease.ended = True
        if self.state and self.state.status in ("cancelling", "cancelled", "deleted"):
            return  # stopped: the lease ends without a fact
        if hand.strike > sweeper.MAX_LOSSES:
            self.log.append(workers.fail(hand.item, hand.strike, Failure(code="worker_lost"), self.now))
        elif kindly:
            self.log.append(workers.succeed(hand.item, self.now))
        else:
            self._speak(hand)

    def lose(self) -> None:
        """A worker stops hearing: its lease expires, and it may come back as a zombie."""
        if not self.hands:
            return
        hand = self.hands.pop(self.choices.below(len(self.hands)))
        self.leases[hand.item.work_id].live = False
        if self.choices.below(2):
            self.zombies.append(hand)

    def wake(self) -> None:
        """A zombie says what it had to say; nobody asked its lease."""
        if self.zombies:
            self._speak(self.zombies.pop(self.choices.below(len(self.zombies))))

    # --- the rest of the world ------------------------------------------------------------------------------------

    def wait(self) -> None:
        self.now += timedelta(seconds=(0.01, 1, 5, 600)[self.choices.below(4)])

    def look_again(self) -> None:
        desk = self.desks[STAGES[self.choices.below(3)]]
        desk.in_flight = {
            lease.item.slice for lease in self.leases.values() if lease.live and lease.item.stage == desk.stage
        }

    def restart(self) -> None:
        """A coordinator that forgot everything but its fold."""
        desk = self.desks[STAGES[self.choices.below(3)]]
        desk.given_up = None
        self.look_again()

    def repeat(self) -> None:
        """A record that took effect is appended again."""
        effective = list(effective_facts(self.log))
        self.log.append(effective[self.choices.below(len(effective))])

    def press(self) -> None:
        """A person presses a button that the gateway would accept."""
        if self.state is None:
            return
        self.asked += 1
        status, choice = self.state.status, self.choices.below(16)
        if status in ("failed", "cancelled") or (status == "completed" and self.state.partial):
            self.log.append(history.retry(str(self.asked)))
        elif status not in ENDED and choice < 4:
            self.log.append(history.cancel(str(self.asked)))
        elif choice == 4:
            self.log.append(history.deleted(str(self.asked)))

    def _at_work(self) -> bool:
        return any(lease.live for lease in self.leases.values())

    def _news(self, reader: Any, everything: bool) -> Iterator[Fact]:
        count = len(self.log) if everything else (1, 3, 1000)[self.choices.below(3)]
        news = self.log[reader.at : reader.at + count]
        reader.at += len(news)
        yield from news

    def _speak(self, hand: Hand) -> None:
        match self.choices.below(8):
            case 6:
                self.log.append(workers.fail(hand.item, hand.strike, history.BUSY, self.now))
            case 7:
                self.log.append(workers.fail(hand.item, hand.strike, history.BAD_PAGE, self.now))
            case _:
                self.log.append(workers.succeed(hand.item, self.now))


def _landed(desk: Desk, fact: Fact) -> None:
    number = {StagePlanned: PLAN, StageCompleted: CONCLUDE}.get(type(fact))
    if isinstance(fact, SliceCompleted | SliceFailed | WorkerLost):
        number = fact.slice
    if number is not None and fact.stage == desk.stage:
        desk.in_flight.discard(number)


def effective_facts(log: Sequence[Fact]) -> Iterator[Fact]:
    """The facts that changed the state when they were first said."""
    state = None
    for fact in log:
        after = evolve(state, fact)
        if after is not state:
            yield fact
        state = after
