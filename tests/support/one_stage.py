"""One stage of one tenant in virtual time: the real deciding core and memory, simulated hands. For the order of work.

A page takes a second, planning and concluding 0.05. A document whose pages are None is a ghost: whoever takes an item
of it drops it without a word.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.events.document import CONCLUDE, PLAN
from shared.harness.coordinator.assignment import Assignment, Send, cost, evolve
from shared.harness.coordinator.fair_turns import FairTurns
from shared.harness.coordinator.in_flight import InFlight
from shared.harness.coordinator.priority import price_of, spent
from tests.support import document_facts
from tests.support.deciding import decide

PAGE, SHORT, STEP, LOOK = 1.0, 0.05, 0.05, 2.0


class Stage:
    """A coordinator and its `slots` hands."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.now = 0.0
        self.open: dict[str, Assignment] = {}
        self.pages: dict[str, int | None] = {}
        self.read: dict[str, int] = {}  # pages, by document
        self.ended: dict[str, float] = {}
        self.sent: dict[str, int] = {}
        self._flights, self._turns, self._served = InFlight(), FairTurns(), dict[str, float]()
        self._work: list[tuple[float, str, int]] = []
        self._looked = 0.0

    def upload(self, pages: int | None) -> str:
        """Bring in a document; its id."""
        i = str(UUID(int=len(self.pages) + 1))
        self.pages[i], self.read[i], self.sent[i] = pages, 0, 0
        self._told(document_facts.uploaded(document=i, when=self.now))
        return i

    def work(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.now + seconds
        while self.now < until and self.open:
            self._step()
        self.now = until

    def until(self, ids: Sequence[str], within: float) -> float:
        """Let time pass until these have ended, or for so long at most; the time that it took."""
        began = self.now
        while not all(i in self.ended for i in ids) and self.now - began < within:
            self._step()
        return self.now - began

    def _step(self) -> None:
        for done in [work for work in self._work if work[0] <= self.now]:
            self._work.remove(done)
            self._done(done[1], done[2])
        if self.now - self._looked >= LOOK:
            self._look()
        idle = self._flights.resting(self.now)
        ready = [assignment for i, assignment in self.open.items() if i not in idle]
        for decision in decide(ready, self._flights.in_flight, self._served, self.slots, 3, self._turns):
            assert isinstance(decision, Send)
            self._send(decision.assignment, decision.slice)
        self.now += STEP

    def _look(self) -> None:
        self._looked = self.now
        held: dict[str, set[int]] = {}
        for _, i, number in self._work:
            held.setdefault(i, set()).add(number)
        self._flights.look(held, {0: 10**9}, self.now)  # every record was taken at once

    def _send(self, assignment: Assignment, number: int) -> None:
        i = assignment.document_id
        self._served.setdefault(i, spent(assignment, self._flights.in_flight.get(i, set())))
        self._served[i] += cost(assignment)
        self._flights.sent(i, number, (0, 0), self.now)
        self._turns.give(i, assignment.tenant, price_of(assignment, number))
        self.sent[i] += 1
        if self.pages[i] is not None:
            self._work.append((self.now + (PAGE if number >= 0 else SHORT), i, number))

    def _done(self, i: str, number: int) -> None:
        pages = self.pages[i] or 0
        self._flights.landed(i, number)
        self._served.pop(i, None)
        if number == PLAN:
            self._told(document_facts.planned(slices=pages, weight=1.5 * pages, document=i))
        elif number != CONCLUDE:
            self.read[i] += 1
            self._told(document_facts.done(number, weight=1.5, document=i))
        else:
            self.ended[i] = self.now
            self._turns.forget(i)
            del self.open[i]

    def _told(self, fact: Any) -> None:
        after = evolve(self.open.get(fact.document_id), fact, "ocr")
        assert after
        self.open[fact.document_id] = after
        self._turns.begin(fact.document_id, after.tenant)
