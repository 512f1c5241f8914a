"""A fold's memory of states against a database, in every interleaving of loads, writes and evictions.

Loads and writes are driven by hand, step by step, so that Hypothesis chooses who goes on at each await.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from pymongo import UpdateOne

from shared.projecting.state_store import StateStore

CAPACITY = 2
IDS = [f"document-{number}" for number in range(6)]


class Pause:
    """A point at which whoever else may go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Rows:
    """A collection that takes its time before and after each operation."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}

    async def find(self, query: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        await Pause()
        found = [self.stored[i] for i in query["_id"]["$in"] if i in self.stored]
        await Pause()
        for row in found:
            yield row
            await Pause()

    async def bulk_write(self, operations: list[UpdateOne], ordered: bool) -> None:
        await Pause()
        for operation in operations:
            i, row = operation._filter["_id"], operation._doc["$set"]
            if i not in self.stored or self.stored[i]["version"] < row["version"]:
                self.stored[i] = {"_id": i, **row}
        await Pause()


class Task(NamedTuple):
    steps: Coroutine[Any, Any, Any]
    then: Callable[[Any], None]


class Memory(RuleBasedStateMachine):
    """One fold as the loop drives it: batches are folded one after another while an earlier one is written."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = Rows()
        self.states: StateStore[int] = StateStore(self.rows, lambda row: int(row["version"]), CAPACITY)
        self.facts = dict.fromkeys(IDS, 0)  # what the log says: how many facts each document has
        self.unwritten: dict[str, int] = {}
        self.folding: Task | None = None
        self.writing: Task | None = None
        self.looking: Task | None = None  # a sweeper, which loads and folds nothing

    @precondition(lambda self: self.folding is None)
    @rule(ids=st.sets(st.sampled_from(IDS), min_size=1, max_size=3))
    def fold(self, ids: set[str]) -> None:
        def keep(found: dict[str, int]) -> None:
            assert found == {i: self.facts[i] for i in ids if self.facts[i]}
            folded = {i: self.facts[i] + 1 for i in ids}
            self.facts |= folded
            self.states.keep(folded)
            self.unwritten |= folded

        self.folding = Task(self.states.load(ids), keep)

    @precondition(lambda self: self.looking is None)
    @rule(ids=st.sets(st.sampled_from(IDS), min_size=1, max_size=3))
    def look(self, ids: set[str]) -> None:
        before = dict(self.facts)

        def compare(found: dict[str, int]) -> None:
            assert all(before[i] <= found.get(i, 0) <= self.facts[i] for i in ids)
            if not (self.folding or self.writing or self.unwritten):  # one who only looks fills no memory either
                assert len(self.states._kept) <= CAPACITY

        self.looking = Task(self.states.load(ids), compare)

    @precondition(lambda self: self.writing is None and self.unwritten)
    @rule()
    def write(self) -> None:
        written, self.unwritten = self.unwritten, {}
        rows = {i: {"version": state} for i, state in written.items()}

        def bounded(_: None) -> None:
            if not (self.folding or self.looking or self.unwritten):
                assert len(self.states._kept) <= CAPACITY

        self.writing = Task(self.states.store(written, rows), bounded)

    @rule(who=st.sampled_from(["folding", "writing", "looking"]))
    def go_on(self, who: str) -> None:
        task: Task | None = getattr(self, who)
        if task is None:
            return
        try:
            task.steps.send(None)
        except StopIteration as end:
            setattr(self, who, None)
            task.then(end.value)

    def teardown(self) -> None:
        for task in (self.folding, self.writing, self.looking):
            if task:
                task.steps.close()


TestMemory = Memory.TestCase
TestMemory.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
