"""The projection in a real database: the same rows however the log comes in, also after a crash between two writes."""

import asyncio
import itertools
import uuid
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from services.progress.handlers import LiveProjection
from services.progress.projection.stored_results import StoredResults
from services.progress.rebuild import digest
from shared.events.document import DocumentDeleted, DocumentErased, Fact, Progress, SliceFailed
from shared.kafka.producer import Producer
from shared.projecting.batch import Batch, Entry
from shared.storage import mongo
from shared.storage.mongo import Collection, Mongo, Row
from tests.support.facts import AT, life, say
from tests.support.projection import Bench, batches
from tests.support.wait import until


@pytest.mark.parametrize("size", [2, 3, 7, 100])
async def test_the_same_facts_in_other_batches_are_the_same_projection(bench: Bench, size: int) -> None:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    for document_id in ids:
        await bench.upload(document_id)
    facts = [fact for facts in itertools.zip_longest(*map(life, ids)) for fact in facts if fact]
    one_by_one, in_batches = await bench.folded(facts, 1), await bench.folded(facts, size)
    for generation in (one_by_one, in_batches):
        await bench.store_results(generation)
    compared = await digest.compare(bench.database, one_by_one, in_batches)
    assert compared.differences == []
    assert compared.one == compared.other == await digest.of_generation(bench.database, one_by_one)
    row = await bench.row("documents", in_batches, ids[0])
    assert row
    assert (row["view"]["status"], row["view"]["filename"]) == ("completed", "lease.pdf")
    assert await bench.database.projection("chunks", in_batches).count_documents({}) == 3


async def test_a_fact_that_is_said_twice_in_one_batch_is_one_row_of_the_timeline(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a batch are inserted in no order: of two with one id the later one might stay."""
    inserted: list[str] = []
    add = mongo.add

    async def noting(rows: Collection, found: Sequence[Row]) -> None:
        inserted.extend(row["_id"] for row in found)
        await add(rows, found)

    monkeypatch.setattr(mongo, "add", noting)
    facts = life(str(uuid.uuid4()))
    await bench.folded(facts, 100)
    assert len(inserted) == len(set(inserted)) < len(facts)


async def test_another_fact_is_another_digest(bench: Bench) -> None:
    facts = life(str(uuid.uuid4()))
    whole, shorter = await bench.folded(facts, 5), await bench.folded(facts[:-2], 5)
    named = (await digest.compare(bench.database, whole, shorter)).differences
    assert f"documents/{facts[0].document_id}" in named
    assert f"timeline/{facts[-1].document_id}/{facts[-1].event_id}" in named


async def test_a_row_that_was_believed_to_be_new_moves_forward_like_any_other(database: Mongo) -> None:
    rows = database.projection("processing_jobs", "g")
    await mongo.advance(rows, [("one", {"version": 2}), ("two", {"version": 2})])
    found = [("one", {"version": 1}), ("two", {"version": 3}), ("three", {"version": 1})]
    await mongo.advance(rows, found, new={"one", "two", "three"})
    assert {row["_id"]: row["version"] async for row in rows.find()} == {"one": 2, "two": 3, "three": 1}


class Crash(BaseException):
    """What stands for kill -9."""


@pytest.mark.parametrize("survived", range(4))
async def test_a_crash_between_any_two_writes_is_healed_by_reading_the_batch_again(
    bench: Bench, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = str(uuid.uuid4())
    await bench.upload(document_id)
    facts = life(document_id)
    undisturbed, disturbed = await bench.folded(facts, 100), await bench.generation()
    (batch,) = batches(facts, 100)
    with monkeypatch.context() as patch:
        writes = count_writes(patch, survived)
        with pytest.raises(Crash):
            await (await bench.projector(disturbed, bench.producer).apply(batch))()
        assert next(writes) > survived
    await (await bench.projector(disturbed).apply(batch))()
    assert (await digest.compare(bench.database, undisturbed, disturbed)).differences == []


def count_writes(patch: pytest.MonkeyPatch, survived: int) -> "itertools.count[int]":
    """Let `survived` side effects of a projector happen, and none after that."""
    counter = itertools.count()

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if next(counter) >= survived:  # whoever is dead writes nothing else either
                raise Crash
            return await original(*args, **kwargs)

        return call

    for place in ("shared.projecting.state_store.advance", "shared.storage.mongo.advance", "shared.storage.mongo.add"):
        patch.setattr(place, guarded(_resolve(place)))
    patch.setattr(Producer, "send_all", guarded(Producer.send_all))
    return counter


def _resolve(place: str) -> Callable[..., Any]:
    module, _, name = place.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name)


async def test_an_erased_document_is_the_same_in_a_rebuilt_projection(bench: Bench) -> None:
    document_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    await bench.upload(document_id)
    await bench.upload(other)
    facts = [*life(document_id), *life(other)]
    gone: list[Fact] = [say(DocumentDeleted, document_id), say(DocumentErased, document_id)]
    live = await bench.folded(facts, 100)
    await bench.store_results(live)
    await bench.blobs.delete_document("default", document_id)
    projector = bench.projector(live)
    for offset, fact in enumerate(gone, start=len(facts)):
        await (await projector.apply(Batch(facts=[Entry(offset, fact)])))()
    for name in ("processing_jobs", "timeline", "chunks", "extractions"):
        rows = bench.database.projection(name, live)
        assert await rows.count_documents({"$or": [{"document_id": document_id}, {"_id": document_id}]}) == 0
        assert await rows.count_documents({}) > 0
    rebuilt = await bench.folded([*facts, *gone], 1000)
    await bench.store_results(rebuilt)
    assert (await digest.compare(bench.database, live, rebuilt)).differences == []


async def test_ticks_and_lost_workers_seen_by_one_generation_only_make_no_difference(bench: Bench) -> None:
    document_id = str(uuid.uuid4())
    await bench.upload(document_id)
    facts = life(document_id)[:4]  # its worker is lost, and nothing came after that
    live, rebuilt = await bench.folded(facts, 1), await bench.folded(facts, 10)
    tick = Progress(
        document_id=document_id, tenant="default", stage="ocr", attempt=1, slice=0, fraction=0.4, code="x", at=AT
    )
    await (await bench.projector(live).apply(Batch(ticks=[tick])))()
    assert (await digest.compare(bench.database, live, rebuilt)).differences == []


async def test_a_failed_slice_keeps_its_reason_over_a_restart(bench: Bench) -> None:
    document_id = str(uuid.uuid4())
    await bench.upload(document_id)
    error = {"code": "timeout", "facts": {"what": "The page", "limit": 3}, "retryable": True}
    failed = {"stage": "ocr", "attempt": 1, "plan": "p", "slice": 1, "strike": 1, "pages": (2, 2), "error": error}
    facts: list[Fact] = [*life(document_id)[:3], say(SliceFailed, document_id, **failed)]
    generation = await bench.folded(facts, 2)
    before, after = [(await bench.projector(generation).states([document_id]))[document_id] for _ in range(2)]
    assert before == after
    row = await bench.row("documents", generation, document_id)
    assert row
    assert row["view"]["pages"] == {"total": 2, "done": 0, "failed": [2]}


@pytest.mark.parametrize("is_waited_for", [True, False])
async def test_results_that_are_being_stored_when_a_document_is_deleted_do_not_outlive_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_waited_for: bool
) -> None:
    """The eraser waits for a loader that has read the blobs already."""
    document_id = str(uuid.uuid4())
    await bench.upload(document_id)
    whole = life(document_id)
    facts = whole[:-2] if is_waited_for else whole  # the last one is said twice
    generation = await bench.folded(facts, 100)
    older = await bench.folded(facts[:-1], 100)
    await bench.store_results(older)
    results, projector = StoredResults(bench.database, generation, bench.blobs), bench.projector(generation)
    reading, go_on = asyncio.Event(), asyncio.Event()
    get = bench.blobs.get_results

    async def slowly(wanted: Sequence[str]) -> Any:
        found = await get(wanted)
        if wanted:
            reading.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(bench.blobs, "get_results", slowly)
    said: list[Fact] = []

    async def note(_: Producer, facts: Sequence[tuple[Fact, Any]]) -> None:
        said.extend(fact for fact, _ in facts)

    monkeypatch.setattr(Producer, "append_all", note)
    live = LiveProjection(bench.database, bench.blobs, projector, results, bench.producer, 1)
    loop: Any = SimpleNamespace(caught_up=True)
    beside = [asyncio.create_task(work) for work in (live.append(), live.store_old(loop))]
    await live.start()
    await live.decide()
    await reading.wait()
    await (await live.apply(Batch(facts=[Entry(len(facts), say(DocumentDeleted, document_id))])))()
    for _ in range(10):  # as long as an erasing takes that does not wait
        await live.decide()
        await asyncio.sleep(0.05)
    assert said == []
    go_on.set()

    async def erased() -> bool:
        await live.decide()
        return bool(said)

    await until(erased)
    assert [fact.type for fact in said] == ["DocumentErased"]
    for task in beside:
        task.cancel()
    await (await live.apply(Batch(facts=[Entry(len(facts) + 1, said[0])])))()
    for kept in (generation, older):
        for name in ("chunks", "extractions", "timeline", "processing_jobs"):
            assert await bench.database.projection(name, kept).count_documents({}) == 0, (kept, name)
        row = await bench.row("documents", kept, document_id)
        assert row
        assert (row["view"], row["filename"], row["tags"]) == ({"status": "deleted"}, "", [])
    rest = [facts[-1], say(DocumentDeleted, document_id), said[0]]
    entries = [Entry(len(facts) - 1 + number, fact) for number, fact in enumerate(rest)]
    await (await bench.projector(older).apply(Batch(facts=entries)))()  # as a rollback does
    assert await digest.of_generation(bench.database, older) == await digest.of_generation(bench.database, generation)
