"""What takes long does not stop the fold: erasing, storing and many decisions run beside its loop."""

import asyncio
import statistics
import time
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from services.progress import handlers
from services.progress.deciders.janitor import Janitor
from services.progress.handlers import LiveProjection
from services.progress.projection import generations
from services.progress.projection.stored_results import StoredResults
from shared.events.document import (
    DocumentDeleted,
    Fact,
    Failure,
    RetryScheduled,
    StageFailed,
    StageStarted,
)
from shared.kafka.producer import Producer
from shared.projecting import heartbeat
from shared.projecting.batch import Batch, Entry
from shared.projecting.loop import Loop
from shared.runtime import failpoints
from shared.storage.leases import LeaseBook
from shared.storage.mongo import OUTAGES
from tests.support.facts import AT, life, say, uploaded
from tests.support.projection import Bench
from tests.support.wait import until

STAGE: dict[str, Any] = {"stage": "ocr", "attempt": 1}
BUSY = Failure(code="provider_unavailable", facts={"provider": "model", "detail": "503"}, retryable=True)
MANY = 2_000


async def live_on(bench: Bench, generation: str) -> LiveProjection:
    results = StoredResults(bench.database, generation, bench.blobs)
    live = LiveProjection(
        bench.database, bench.blobs, bench.projector(generation, bench.producer), results, bench.producer, 2
    )
    await live.start()
    return live


async def fold(live: LiveProjection, facts: Sequence[Fact], first: int) -> None:
    entries = [Entry(first + number, fact) for number, fact in enumerate(facts)]
    await (await live.apply(Batch(facts=entries)))()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Fact]:
    """What was appended; the broker takes a tenth of a second for each append."""
    said: list[Fact] = []

    async def slowly(_: Producer, facts: Sequence[tuple[Fact, Any]]) -> None:
        await asyncio.sleep(0.1)
        said.extend(fact for fact, _ in facts)

    monkeypatch.setattr(Producer, "append_all", slowly)
    return said


async def test_a_document_that_takes_long_to_erase_stops_nobody(
    bench: Bench, said: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    generation = await bench.folded(life(document_id), size=100)
    removing = asyncio.Event()

    async def for_ever(*_: Any) -> None:
        removing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.blobs, "delete_document", for_ever)
    live = await live_on(bench, generation)
    await fold(live, [say(DocumentDeleted, document_id)], first=100)
    await live.decide()
    await removing.wait()
    await asyncio.wait_for(fold(live, [uploaded(other)], first=101), timeout=2)
    await asyncio.wait_for(live.decide(), timeout=2)
    assert await bench.row("documents", generation, other)
    await live.close()


async def test_many_retries_that_fall_due_together_are_appended_beside_the_loop(bench: Bench, said: list[Fact]) -> None:
    ids = [str(uuid.uuid4()) for _ in range(MANY)]
    facts = [
        fact
        for i in ids
        for fact in (
            uploaded(i),
            say(StageStarted, i, "ocr/1", **STAGE),
            say(StageFailed, i, "ocr/1", **STAGE, error=BUSY, final=False),
            say(RetryScheduled, i, "ocr/2", stage="ocr", attempt=2, error=BUSY, due_at=AT),
        )
    ]
    generation = await bench.folded(facts, size=10_000)
    live = await live_on(bench, generation)
    appending = asyncio.create_task(live.append())
    turns = []
    more = True
    while more:
        began = time.process_time()
        more = await live.decide()
        turns.append(time.process_time() - began)
    assert len(turns) >= MANY // 100
    assert statistics.quantiles(turns, n=10)[-1] < 0.2, "one turn decides about a bounded number of documents"
    read = 0

    async def all_said() -> bool:
        """Fold what was said since, as the loop would."""
        nonlocal read
        news, read = said[read:], len(said)
        assert len(news) <= 100, "only a few stand before what anybody else says meanwhile"
        await fold(live, news, first=10_000 + read)
        return read == MANY

    await until(all_said, within=20)
    assert {fact.type for fact in said} == {"StageRequested"}
    assert len({fact.event_id for fact in said}) == MANY
    appending.cancel()
    await live.close()


async def test_a_document_that_cannot_be_decided_keeps_nobody_waiting(
    bench: Bench, said: list[Fact], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken, other = str(uuid.uuid4()), str(uuid.uuid4())
    generation = await bench.generation()
    monkeypatch.setattr(failpoints, "_RAISE", "progress.decide")
    monkeypatch.setattr(failpoints, "_DOCUMENT", broken)
    for i in (broken, other):
        await bench.upload(i)
    live = await live_on(bench, generation)
    appending = asyncio.create_task(live.append())
    await fold(live, [*life(broken)[:-2], *life(other)[:-2]], first=0)

    async def completed() -> bool:
        await live.decide()
        return bool(said)

    await until(completed)
    assert {(fact.type, fact.key) for fact in said} == {("DocumentCompleted", other)}
    assert broken in "".join(capfd.readouterr())
    appending.cancel()
    await live.close()


@pytest.mark.parametrize("where", ["progress.fold", "progress.render", "progress.write"])
async def test_a_document_that_cannot_be_folded_or_written_is_set_aside_alone(
    bench: Bench, where: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken, other = str(uuid.uuid4()), str(uuid.uuid4())
    for i in (broken, other):
        await bench.upload(i)
    facts = [fact for pair in zip(life(broken), life(other), strict=True) for fact in pair]
    sound = await bench.folded(facts, size=100)
    monkeypatch.setattr(failpoints, "_RAISE", where)
    monkeypatch.setattr(failpoints, "_DOCUMENT", broken)
    projector = bench.projector(generation := await bench.generation(), bench.producer)
    entries = [Entry(offset, fact) for offset, fact in enumerate(facts)]
    await (await projector.apply(Batch(facts=entries)))()
    assert projector.set_aside > 0
    assert await bench.row("documents", generation, broken) is None
    expected = await bench.row("documents", sound, other)
    found = await bench.row("documents", generation, other)
    assert found
    assert expected
    assert found["settled"] == expected["settled"]
    assert await bench.database.projection("timeline", generation).count_documents({"document_id": other}) > 0
    assert broken in "".join(capfd.readouterr())


async def test_a_fact_with_a_number_that_the_database_does_not_take_stops_nobody(bench: Bench) -> None:
    odd, other = str(uuid.uuid4()), str(uuid.uuid4())
    large = uploaded(odd).model_copy(update={"size": 2**70})
    projector = bench.projector(generation := await bench.generation(), bench.producer)
    await (await projector.apply(Batch(facts=[Entry(0, large), Entry(1, uploaded(other))])))()
    assert await bench.row("documents", generation, odd) is None
    assert await bench.row("documents", generation, other)


class Away:
    """Stands for a call to the database: it fails twice, as in an election, and then says nothing."""

    def __init__(self, answer: Any = None) -> None:
        self._answer = answer
        self.calls = 0

    async def __call__(self, *_: Any) -> Any:
        self.calls += 1
        if self.calls < 3:
            raise OUTAGES[0]("no primary")
        return self._answer


async def test_an_election_of_the_database_ends_nothing_that_runs_beside_the_fold(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases, told, cleaned = Away([]), Away(), Away()
    monkeypatch.setattr(handlers, "_TIDY_SECONDS", 0.1)
    monkeypatch.setattr(heartbeat, "publish", told)
    monkeypatch.setattr(LeaseBook, "expired", lambda _: leases())
    monkeypatch.setattr(Janitor, "clean", lambda _: cleaned())
    generation = await bench.generation()
    live = await live_on(bench, generation)
    loop = Loop("", generations.checkpoint(bench.database, generation), live)
    loop.caught_up = True
    janitor = Janitor(bench.database, generation, bench.blobs)
    beside = [
        live.sweep(loop),
        live.report(loop),
        live.tidy(loop, janitor),
        heartbeat.publish_regularly(bench.database, "x", loop),
    ]
    tasks = [asyncio.create_task(one) for one in beside]
    await until(lambda: leases.calls >= 3 and told.calls >= 6 and cleaned.calls >= 3)
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await live.close()
