"""A fold that begins at a snapshot comes to what one comes to that reads the whole log, with a broker and database."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.progress.projection import generations, snapshot_export
from services.progress.projection.snapshot_export import SnapshotExport
from services.progress.rebuild import digest
from services.progress.rebuild.builder import Builder
from services.progress.settings import ProgressSettings
from shared.events.document import DocumentDeleted, DocumentErased
from shared.events.standalone_job import JobCompleted, JobStarted
from shared.harness.coordinator.fold import CoordinatorFold
from shared.harness.coordinator.start import checkpoint_of
from shared.kafka.producer import Producer
from shared.projecting import snapshots
from shared.projecting.checkpoint import CheckpointGone, Positions, beginning_of
from shared.projecting.loop import Loop
from shared.projecting.snapshots import Snapshot, Snapshots
from shared.runtime.settings import SharedSettings
from shared.storage import blob_names, mongo
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo
from tests.support.facts import AT, life, say

EVERY = 10  # facts
FILENAME = "a name that nobody else may read.pdf"


@pytest.fixture
def own(settings: SharedSettings, monkeypatch: pytest.MonkeyPatch) -> ProgressSettings:
    """The settings of this test, also for the processes that it starts."""
    for name, value in settings.model_dump().items():
        monkeypatch.setenv(f"PAGESTREAM_{name.upper()}", str(value))
    return ProgressSettings()


class System:
    """A log that grows, the generation that has folded it, and its snapshots."""

    def __init__(self, own: ProgressSettings, database: Mongo, producer: Producer) -> None:
        self.own, self.database, self.producer = own, database, producer
        self.blobs = Blobs.open(own.store)
        self.snapshots = Snapshots(self.blobs)
        self.restored: list[tuple[int, int]] = []

    async def builder(self) -> Builder:
        """Of a new generation."""
        generation = await generations.begin(self.database, self.own.partitions)
        return Builder(self.own, self.database, generation, lambda done, total: self.restored.append((done, total)))

    async def grow(self, documents: int = 5) -> list[str]:
        """Documents that are processed, the last of them not to its end; their ids."""
        ids = [str(uuid.uuid4()) for _ in range(documents)]
        for i in ids:
            await self.blobs.put_result(blob_names.meta("default", i), {"filename": FILENAME, "tags": ["a", "b"]})
            for fact in life(i) if i != ids[-1] else life(i)[:4]:
                await self.producer.append(fact)
        return ids

    async def folded(self, builder: Builder | None = None) -> Builder:
        """A generation, a new one where none is given, with all of the log."""
        builder = builder or await self.builder()
        await builder.fold(await self.end(builder))
        return builder

    async def end(self, builder: Builder) -> Positions:
        return await builder.barrier(None)

    async def export(self, builder: Builder, every: int = EVERY) -> None:
        await SnapshotExport(self.database, builder.generation, self.blobs, every).export_if_due()

    async def usable(self) -> Snapshot | None:
        """The snapshot at which a coordinator would begin."""
        return await self.snapshots.newest_of(self.own.kafka, beginning_of(["documents"], self.own.partitions))

    async def differences(self, one: Builder, other: Builder) -> list[str]:
        return (await digest.compare(self.database, one.generation, other.generation)).differences

    async def rows(self, name: str, builder: Builder) -> dict[str, Any]:
        found = self.database.projection(name, builder.generation).find({})
        return {row["_id"]: row async for row in found}


@pytest.fixture(autouse=True)
def any_growth_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is that of all tests: how long it is when a test begins is not known."""
    monkeypatch.setattr(snapshot_export, "_GROWTH", 10**9)


@pytest.fixture
def system(own: ProgressSettings, database: Mongo, producer: Producer) -> System:
    return System(own, database, producer)


async def test_a_generation_that_begins_at_a_snapshot_is_the_same(system: System) -> None:
    ids = await system.grow()
    live = await system.folded()
    await system.export(live)
    made = await system.snapshots.newest()
    assert made
    await system.grow()
    await system.producer.append(life(ids[-1])[4])  # one goes on behind the snapshot
    await system.folded(live)

    anew = await system.builder()
    assert await anew.begin_at_snapshot(await system.end(anew)) == made
    assert (await anew.checkpoint.load()).items() >= made.positions.items()
    assert sum(made.positions.values()) == made.facts > 0
    await system.folded(anew)

    assert await system.differences(live, anew) == []
    documents = await system.rows("documents", anew)
    assert {(row["filename"], tuple(row["tags"])) for i, row in documents.items() if i in ids} == {
        (FILENAME, ("a", "b"))
    }
    assert documents[ids[0]]["unloaded"]  # its results are stored like those of a replay
    assert {row["document_id"] for row in (await system.rows("timeline", anew)).values()} >= {*ids}


async def test_rows_that_are_ahead_of_the_positions_are_not_folded_twice(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await system.folded()
    raw_batches = mongo.raw_batches

    async def while_the_fold_goes_on(*arguments: Any) -> AsyncIterator[tuple[bytes, int]]:
        await system.grow(2)
        await system.folded(live)
        async for batch in raw_batches(*arguments):
            yield batch

    await system.grow()
    await system.folded(live)
    monkeypatch.setattr(mongo, "raw_batches", while_the_fold_goes_on)
    await system.export(live)
    anew = await system.builder()
    made = await anew.begin_at_snapshot(await system.end(anew))
    assert made
    assert made.facts < sum((await live.checkpoint.load()).values())
    await system.folded(anew)
    assert await system.differences(live, anew) == []


async def test_a_coordinator_begins_at_it_too(system: System) -> None:
    await system.grow()
    live = await system.folded()
    await system.export(live)
    await system.grow()
    end = {place: offset for place, offset in (await system.end(live)).items() if place.topic == "documents"}

    async def assignments() -> dict[str, Any]:
        checkpoint = await checkpoint_of("ocr", system.database, system.own.partitions, system.own.kafka, system.blobs)
        begun = sum((await checkpoint.load()).values())
        fold = CoordinatorFold("ocr", system.database, system.producer, 3)
        await fold.start()
        await Loop(system.own.kafka, checkpoint, fold).run(until=end)
        # The projector notes the offset of a fact that changes nothing, a coordinator does not.
        rows = system.database.coordinator("ocr").find({}, {"offset": 0, "version": 0})
        found = {row["_id"]: row async for row in rows}
        await checkpoint.remove()
        await system.database.coordinator("ocr").drop()
        return {"begun": begun, "found": found}

    with_it = await assignments()
    await system.snapshots.remove()
    without = await assignments()
    assert (with_it["begun"] > 0, without["begun"]) == (True, 0)
    assert with_it["found"] == without["found"]
    assert any(row["active"] for row in with_it["found"].values())


async def test_a_damaged_snapshot_is_not_used_and_nothing_is_lost(system: System) -> None:
    await system.grow()
    live = await system.folded()
    await system.export(live)
    made = await system.snapshots.newest()
    assert made
    damaged = made.parts["states"][-1].name
    await system.blobs.delete(damaged)
    await system.blobs.put(damaged, b"something else")

    anew = await system.builder()
    assert await anew.begin_at_snapshot(await system.end(anew)) is None
    assert sum((await anew.checkpoint.load()).values()) == 0
    await system.folded(anew)
    assert await system.differences(live, anew) == []
    checkpoint = await checkpoint_of("ocr", system.database, system.own.partitions, system.own.kafka, system.blobs)
    assert sum((await checkpoint.load()).values()) == 0


async def test_an_older_one_is_used_where_the_newest_is_incomplete_or_of_another_log(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await system.folded()
    for _ in range(3):
        await system.grow()
        await system.folded(live)
        await system.export(live)
    newest, older = await system.snapshots.names()  # two are kept
    found = await system.snapshots.load(newest)
    assert found
    await system.blobs.delete(found.parts["timeline"][0].name)
    usable = await system.usable()
    assert usable
    assert usable.name == older

    monkeypatch.setattr(snapshots, "SHAPE", snapshots.SHAPE + 1)
    assert await system.usable() is None  # that of another release
    monkeypatch.undo()
    for blob in [name async for name in system.blobs.names(f"{blob_names.SNAPSHOTS}/")]:
        if blob.endswith("/manifest"):
            raw = await system.blobs.get_result(blob)
            await system.blobs.delete(blob)
            marks = dict.fromkeys(raw["marks"], "1-00000000")
            await system.blobs.put_result(blob, {**raw, "marks": marks})
    assert await system.usable() is None


async def test_it_is_made_when_the_log_has_grown_enough(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    await system.grow()
    live = await system.folded()
    await system.export(live, every=0)
    await system.export(live, every=1_000_000)
    assert await system.snapshots.names() == []
    await system.export(live)
    await system.export(live)  # nothing was added
    assert len(await system.snapshots.names()) == 1
    await system.grow()
    await system.folded(live)
    monkeypatch.setattr(snapshot_export, "_GROWTH", 1)  # as much as there is
    await system.export(live)
    assert len(await system.snapshots.names()) == 1
    monkeypatch.setattr(snapshot_export, "_GROWTH", 10**9)
    await system.export(live)
    assert len(await system.snapshots.names()) == 2


async def test_one_of_a_log_that_was_longer_does_not_hide_those_of_the_log_that_was_restored(system: System) -> None:
    await system.grow()
    live = await system.folded()

    async def verify() -> None:
        pass

    far = dict.fromkeys(beginning_of(["documents"], system.own.partitions), 10**9)
    for _ in range(2):
        await system.snapshots.write(far, {}, {}, verify)
    await system.export(live)
    usable = await system.usable()
    assert usable
    assert usable.facts < 10**9
    await system.export(live)  # nothing was added since
    assert (await system.snapshots.names())[0] == usable.name


async def test_what_is_left_of_one_that_broke_off_goes_with_the_next(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    await system.grow()
    live = await system.folded()

    async def broken_off(*_: Any) -> AsyncIterator[tuple[bytes, int]]:
        yield b"", 0
        raise mongo.PyMongoError("away")

    with monkeypatch.context() as patch:
        patch.setattr(mongo, "raw_batches", broken_off)
        with pytest.raises(mongo.PyMongoError):
            await system.export(live)
    assert await system.snapshots.newest() is None
    await system.export(live)
    kept = {name.split("/")[1] async for name in system.blobs.names(f"{blob_names.SNAPSHOTS}/")}
    assert [*kept] == await system.snapshots.names()


async def test_one_of_a_database_that_is_dropped_meanwhile_is_none(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    await system.grow()
    live = await system.folded()
    raw_batches = mongo.raw_batches

    async def dropped(*arguments: Any) -> AsyncIterator[tuple[bytes, int]]:
        await system.database.client.drop_database(system.own.database)
        async for batch in raw_batches(*arguments):
            yield batch  # of a collection that is not there: none

    monkeypatch.setattr(mongo, "raw_batches", dropped)
    with pytest.raises(CheckpointGone):
        await system.export(live)
    assert await system.snapshots.names() == []


async def test_it_holds_no_name_of_a_document_and_no_document_is_seen_in_it(system: System) -> None:
    ids = await system.grow()
    live = await system.folded()
    await system.export(live)
    made = await system.snapshots.newest()
    assert made
    for kind in snapshots.KINDS:
        for part in made.parts[kind]:
            data = await system.snapshots.read(part)
            assert FILENAME.encode() not in data
            assert kind == "jobs" or ids[0].encode() in data
    listed = [found async for found in system.blobs.documents()]
    assert {tenant for tenant, _ in listed} == {"default"}


async def test_what_is_erased_does_not_come_back(system: System) -> None:
    ids = await system.grow()
    live = await system.folded()
    await system.export(live)
    for i in ids[:2]:
        await system.producer.append(say(DocumentDeleted, i))
    await system.producer.append(say(DocumentErased, ids[0]))
    await system.folded(live)
    anew = await system.builder()
    assert await anew.begin_at_snapshot(await system.end(anew))
    await system.folded(anew)
    for name in ("timeline", "processing_jobs"):
        left = {row["document_id"] for row in (await system.rows(name, anew)).values()}
        assert left.isdisjoint(ids[:2])
        assert ids[2] in left
    assert await system.differences(live, anew) == []

    # A snapshot of a moment at which a document was deleted and its lines were still there.
    line = {"_id": f"{ids[0]}/late", "document_id": ids[0]}
    await system.database.projection("timeline", live.generation).insert_one(line)
    await system.snapshots.remove()
    await system.export(live)
    again = await system.builder()
    assert await again.begin_at_snapshot(await system.end(again))
    assert line["_id"] not in await system.rows("timeline", again)


async def test_jobs_keep_their_words(system: System) -> None:
    job = f"job-{uuid.uuid4().hex[:20]}"
    about: dict[str, Any] = {"job_id": job, "tenant": "default", "at": AT, "producer": "test"}
    started = JobStarted.claim(claim="1", kind="export", silent_after=60.0, worded=True, **about)
    await system.blobs.put_result(blob_names.words("default", started.key, started.event_id), {"title": "All invoices"})
    await system.producer.append(started)
    await system.grow()
    live = await system.folded()
    await system.export(live)
    await system.producer.append(JobCompleted.claim(claim="1", **about))
    await system.folded(live)
    anew = await system.builder()
    assert await anew.begin_at_snapshot(await system.end(anew))
    await system.folded(anew)
    row = (await system.rows("jobs", anew))[started.key]
    assert (row["view"]["title"], row["view"]["status"]) == ("All invoices", "completed")
    assert await system.differences(live, anew) == []


async def test_a_generation_that_has_begun_takes_none_up(system: System) -> None:
    await system.grow()
    live = await system.folded()
    await system.export(live)
    assert await live.begin_at_snapshot(await system.end(live)) is None


async def test_a_start_that_broke_off_begins_anew_and_comes_to_the_same(system: System) -> None:
    await system.grow()
    live = await system.folded()
    await system.export(live)
    anew = await system.builder()
    checkpoint = generations.checkpoint(system.database, anew.generation)
    assert await anew.begin_at_snapshot(await system.end(anew))
    await checkpoint.remove()  # as if it had broken off before the checkpoint was stored
    await checkpoint.create(dict.fromkeys(await live.checkpoint.load(), 0))
    assert await anew.begin_at_snapshot(await system.end(anew))
    await system.folded(anew)
    assert await system.differences(live, anew) == []
    assert system.restored
