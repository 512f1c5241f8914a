"""What waits, told piece by piece, decides like one that is told everything at once."""

from collections.abc import Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.events.document import CONCLUDE
from shared.harness.coordinator.assignment import Assignment, Decision, GiveUp, Send, cost, evolve
from shared.harness.coordinator.priority import NOTHING
from shared.harness.coordinator.waiting import Waiting
from tests.support import document_facts
from tests.support.deciding import decide, waiting

SLOTS = 3
NUMBERS = st.integers(0, 7)


def name(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


class Told(RuleBasedStateMachine):
    """A coordinator's books: documents of two tenants come, are planned, sent, read, lost, set aside and forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = Waiting(max_attempts=3)
        self.open: dict[str, Assignment] = {}
        self.idle: set[str] = set()
        self.flying: dict[str, set[int]] = {}
        self.served: dict[str, float] = {}
        self.came = 0

    def tell(self, i: str) -> None:
        if i in self.open and i not in self.idle:
            self.waiting.put(self.open[i], self.flying.get(i, NOTHING), self.served.get(i))
        else:
            self.waiting.remove(i)

    def take(self, i: str, fact: Any) -> None:
        if after := evolve(self.open.get(i), fact, "ocr"):
            self.open[i] = after
        self.tell(i)

    @rule(number=NUMBERS, tenant=st.sampled_from(["acme", "other"]))
    def come(self, number: int, tenant: str) -> None:
        if name(number) not in self.open:
            self.came += 1
            self.take(name(number), document_facts.uploaded(document=name(number), tenant=tenant, when=self.came))

    @rule(number=NUMBERS, slices=st.integers(1, 5))
    def plan(self, number: int, slices: int) -> None:
        if name(number) in self.open:
            self.take(name(number), document_facts.planned(slices=slices, document=name(number)))

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        sends = [d for d in self.waiting.decide(SLOTS, {}) if isinstance(d, Send)]
        if sends:
            assignment, number = data.draw(st.sampled_from(sends))
            i = assignment.document_id
            self.flying.setdefault(i, set()).add(number)
            self.served[i] = self.served.get(i, 0.0) + cost(assignment)
            self.tell(i)

    @rule(data=st.data(), fails=st.booleans(), lost=st.booleans())
    def land(self, data: st.DataObject, *, fails: bool, lost: bool) -> None:
        if not any(self.flying.values()):
            return
        i = data.draw(st.sampled_from(sorted(i for i, numbers in self.flying.items() if numbers)))
        number = data.draw(st.sampled_from(sorted(self.flying[i])))
        self.flying[i].discard(number)
        if lost or number < 0:
            self.tell(i)
            return
        self.served.pop(i, None)
        self.take(i, (document_facts.failed if fails else document_facts.done)(number, document=i))

    @rule(number=NUMBERS)
    def rest(self, number: int) -> None:
        self.idle ^= {name(number)}
        self.tell(name(number))

    @rule(number=NUMBERS)
    def forget(self, number: int) -> None:
        for kept in (self.open, self.flying, self.served):
            kept.pop(name(number), None)
        self.tell(name(number))

    @invariant()
    def decides_alike(self) -> None:
        ready = [assignment for i, assignment in self.open.items() if i not in self.idle]
        for passed in ({}, dict.fromkeys(self.open, 0.0)):
            fresh = decide(ready, self.flying, self.served, SLOTS, 3, passed)
            assert by_tenant(self.waiting.decide(SLOTS, passed)) == by_tenant(fresh)
        fresh_queue = [(a.document_id, ahead) for a, ahead in waiting(ready, self.flying, self.served).queue()]
        assert [(a.document_id, ahead) for a, ahead in self.waiting.queue()] == fresh_queue


def by_tenant(decisions: list[Decision]) -> Mapping[tuple[str, bool], list[tuple[str, int]]]:
    """Of each tenant what is sent, in order, and what is ended, in any."""
    sends: dict[tuple[str, bool], list[tuple[str, int]]] = {}
    for decision in decisions:
        ends = not isinstance(decision, Send)
        number = decision.slice if isinstance(decision, Send) else CONCLUDE
        sends.setdefault((decision.assignment.tenant, ends), []).append((decision.assignment.document_id, number))
        assert isinstance(decision, Send | GiveUp)
    return {key: sorted(found) if key[1] else found for key, found in sends.items()}


TestTold = Told.TestCase
TestTold.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
