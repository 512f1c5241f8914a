"""One world: the processes, what happens to them, and what is seen of it from outside."""

import asyncio
from collections import Counter
from random import Random
from typing import Any, Final

import orjson

from shared.document.state import TERMINAL, DocumentState, evolve
from shared.events.document import DocumentFact, Fact, NotAnEnvelope, UnknownFact, decode
from shared.kafka import topics
from shared.runtime.settings import SharedSettings
from shared.storage.mongo import Mongo
from tests.simulation import checks
from tests.simulation.broker import Broker
from tests.simulation.database import Client, Server
from tests.simulation.faults import Faults
from tests.simulation.machine import Machines
from tests.simulation.people import People
from tests.simulation.scenario import Scenario, Wish
from tests.simulation.scheduler import Scheduler
from tests.simulation.store import Bucket
from tests.support.invariants import Violation

REST_SECONDS: Final = 400.0  # virtual, until everything has come to rest once nothing goes wrong any more
_LOOK_SECONDS: Final = 2.0
_LAST_FRAME_SECONDS: Final = 1.0  # within which the last frame arrives once the database is at rest
_KEPT: Final[list["World"]] = []  # worlds that were: a coroutine that is let go would run its `finally` elsewhere


class World:
    """What one scenario runs in."""

    def __init__(self, scenario: Scenario) -> None:
        _KEPT.append(self)
        self.scenario = scenario
        self.loop = Scheduler(Random(scenario.seed))
        self.loop.world = self
        self.server = Server()
        self.broker = Broker(scenario.partitions)
        self.bucket = Bucket()
        self.gateway: Any = None
        self.story: list[tuple[float, str, str]] = []
        self.surprises: list[str] = []
        self.violations: list[Violation] = []
        self.states: dict[str, DocumentState] = {}  # by a fold that reads every fact as it is appended
        self.moved: dict[str, float] = {}  # when a document's last fact was appended
        self.ended: dict[str, float] = {}
        self.sent: Counter[str] = Counter()  # work items, since their document's last fact
        self.drops = 0
        self.dropped_at = -1e9
        self.damaged: dict[str, bytes] = {}  # what blobs were before they were lost or damaged, by name
        self.healed = False  # no page is bad any more
        self.broker.heard.append(self._hear)
        self.faults = Faults(self)
        self.machines = Machines(self)
        self.people = People(self)

    def tell(self, who: str, what: str) -> None:
        self.story.append((self.loop.now, who, what))

    def wrong(self, invariant: str, subject: str, sentence: str) -> None:
        violation = Violation(invariant, subject, sentence)
        if violation not in self.violations:
            self.violations.append(violation)
            self.tell("check", str(violation))

    def hear_rebuild(self, words: dict[str, Any]) -> None:
        self.tell("rebuild", str(words)[:200])
        decided = words.get("swapped") or words.get("kept")  # a dry run may meet what is about to be stored
        if words.get("differences") and decided and not self.damaged and not self.drops:
            self.wrong("I3", "rebuild", f"comes to something else than the live projection: {words['differences'][:5]}")

    def dropped_lately(self) -> bool:
        """Whether the projections may not be whole again yet after they were dropped."""
        return self.loop.now - self.dropped_at < 120

    def run(self) -> list[Violation]:
        """Let everything happen; what does not hold."""
        self.loop.run(self._main())
        return self.violations

    async def _main(self) -> None:
        await Mongo(Client(self.server), SharedSettings()).provision_control()  # type: ignore[arg-type]
        self.faults.begin()
        tasks = [asyncio.create_task(self.machines.keep(n, *how)) for n, how in self.machines.starts().items()]
        tasks += [asyncio.create_task(self.people.upload(document)) for document in self.scenario.documents]
        tasks += [asyncio.create_task(self.people.wish(wish)) for wish in self.scenario.wishes]
        tasks += [
            asyncio.create_task(self.people.watch(t, None)) for t in {d.tenant: 0 for d in self.scenario.documents}
        ]
        tasks += [asyncio.create_task(self.people.read()), asyncio.create_task(self._expire())]
        await asyncio.sleep(self.scenario.calm_at)
        self.calm_since = self.loop.now
        self.faults.end()
        self.sent.clear()
        self.tell("world", "nothing goes wrong any more")
        self.violations += await self._rest(tasks)
        if self.scenario.again and not self.violations:
            await self._again(tasks)
        for surprise in self.surprises:
            self.wrong("bug", surprise.partition(" ")[0], surprise)
        checks.early(self)
        await asyncio.sleep(_LAST_FRAME_SECONDS)
        checks.watched(self)

    async def _again(self, tasks: list["asyncio.Task[None]"]) -> None:
        """Whatever ended badly is whole after enough retries."""
        self.healed = True
        self.tell("world", "no page is bad any more")
        for _ in range(3):
            if not (names := checks.to_retry(self)):
                return
            for name in names:
                await self.people.wish(Wish(0.0, "retry", name))
            self.violations += await self._rest(tasks)
        for name in checks.to_retry(self):
            self.wrong("I13", name, "is not whole after three retries")

    async def _rest(self, tasks: list["asyncio.Task[None]"]) -> list[Violation]:
        """Wait until everything holds; what does not in the end."""
        end = self.loop.now + REST_SECONDS
        found: list[Violation] = []
        while self.loop.now < end and not self.violations:
            await asyncio.sleep(_LOOK_SECONDS)
            for task in tasks:
                if task.done() and task.exception():
                    raise task.exception()  # type: ignore[misc]
            checks.progress(self)
            if self.surprises:
                return []
            if checks.maybe_at_rest(self):
                found = checks.everything(self)
                if not found:
                    return []
        return found or checks.everything(self)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(60)
            self.server.expire()

    # ---- what is heard of the log

    def _hear(self, record: Any) -> None:
        if record.topic == topics.DOCUMENTS:
            try:
                fact = decode(record.value)
            except (NotAnEnvelope, UnknownFact):
                return
            if isinstance(fact, DocumentFact):
                self._hear_fact(fact)
        elif record.topic.startswith("slices."):
            self._hear_item(orjson.loads(record.value))

    def _hear_fact(self, fact: Fact) -> None:
        i = fact.document_id
        before = self.states.get(i)
        after = evolve(before, fact)
        if after is None:
            return
        self.states[i] = after
        note = "" if after is not before else " (changes nothing)"
        self.tell(fact.producer, f"{i[:8]} {checks.words(fact)}{note}")
        if after is not before:
            self.moved[i] = self.loop.now
            for work in [work for work in self.sent if work.startswith(i)]:
                del self.sent[work]
            if after.status in TERMINAL or after.erased:
                self.ended[i] = self.loop.now

    def _hear_item(self, item: Any) -> None:
        work = f"{item['document_id']}/{item['stage']}/{item['attempt']}/{item['plan']}/{item['slice']}"
        self.sent[work] += 1
        self.tell(f"{item['stage']}-coordinator", f"{item['document_id'][:8]} sends {work.partition('/')[2]}")
