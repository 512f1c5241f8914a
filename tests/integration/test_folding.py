"""The loop of every fold on a real broker and database: where it resumes, what it repeats, when it refuses."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from shared.kafka.producer import Producer
from shared.projecting import loop as looping
from shared.projecting.batch import Batch
from shared.projecting.checkpoint import Checkpoint, CheckpointGone
from shared.projecting.loop import Halted, Loop, Write
from shared.runtime.settings import SharedSettings
from shared.storage.mongo import Mongo
from tests.support import kafka
from tests.support.facts import uploaded
from tests.support.wait import until


@dataclass
class Notebook:
    """A fold that notes what it is given; `before_return` may fail after that, as a crash would."""

    noted: list[str] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    decisions: list[int] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    before_return: Callable[[Batch], None] = lambda batch: None

    async def apply(self, batch: Batch) -> Write:
        self.noted += [entry.fact.document_id for entry in batch.facts]
        self.unreadable += [(record.offset, reason) for record, reason in batch.unreadable]
        self.before_return(batch)
        return partial(self.write, list(self.noted))

    async def write(self, noted: list[str]) -> None:
        self.written = noted

    async def decide(self) -> bool:
        self.decisions.append(len(self.noted))
        return False


@dataclass
class Tape:
    """A topic of the test's own, shaped as the log is, and a checkpoint on it."""

    name: str
    settings: SharedSettings
    producer: Producer
    checkpoint: Checkpoint

    @property
    def place(self) -> TopicPartition:
        return TopicPartition(self.name, 0)

    async def write(self, count: int) -> list[str]:
        """Append facts; their document ids."""
        facts = [uploaded() for _ in range(count)]
        await self.producer.send_all(self.name, [(fact.document_id, fact.encode(), ()) for fact in facts])
        return [fact.document_id for fact in facts]

    async def write_bytes(self, value: bytes) -> None:
        await self.producer.send(self.name, value)

    async def cut(self, before: int) -> None:
        """Delete every record before an offset."""
        async with kafka.admin(self.settings.kafka) as client:
            await client.delete_records({self.place: RecordsToDelete(before_offset=before)})

    def loop(self, fold: Notebook, patience: float = 0.0, due: asyncio.Event | None = None) -> Loop:
        return Loop(self.settings.kafka, self.checkpoint, fold, patience=patience, due=due)

    @asynccontextmanager
    async def following(
        self, fold: Notebook, patience: float = 0.0, due: asyncio.Event | None = None
    ) -> AsyncIterator[tuple[Loop, "asyncio.Task[None]"]]:
        """The loop running beside the test; ended on leaving unless it has ended by itself."""
        loop = self.loop(fold, patience, due)
        task = asyncio.create_task(loop.run())
        try:
            yield loop, task
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
async def tape(settings: SharedSettings, database: Mongo, producer: Producer) -> Tape:
    name = f"tape-{uuid.uuid4().hex}"
    await kafka.create(settings.kafka, name)
    checkpoint = Checkpoint(database, "test", "g1")
    await checkpoint.create({TopicPartition(name, 0): 0})
    return Tape(name, settings, producer, checkpoint)


async def test_a_fold_follows_the_log_and_resumes_where_it_was(tape: Tape) -> None:
    first, second = Notebook(), Notebook()
    early = await tape.write(30)
    async with tape.following(first):
        await until(lambda: first.noted == early)
        late = await tape.write(3)
        await until(lambda: first.noted == early + late)
        await until(lambda: stored(tape, 33))
    latest = await tape.write(2)
    async with tape.following(second):
        await until(lambda: second.noted == latest)


async def stored(tape: Tape, offset: int) -> bool:
    return (await tape.checkpoint.load())[tape.place] == offset


async def test_what_was_applied_but_not_noted_in_the_checkpoint_is_given_again(tape: Tape) -> None:
    written = await tape.write(10)

    def crash(batch: Batch) -> None:
        raise ZeroDivisionError

    crashing, reborn = Notebook(before_return=crash), Notebook()
    with pytest.raises(ZeroDivisionError):
        await tape.loop(crashing).run()
    assert crashing.noted == written
    async with tape.following(reborn):
        await until(lambda: reborn.noted == written)


async def test_a_fold_that_has_something_due_decides_at_once_and_misses_no_record(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looping, "POLL_MS", 60_000)
    fold, due = Notebook(), asyncio.Event()
    async with tape.following(fold, due=due):
        await until(lambda: fold.decisions)
        decided = len(fold.decisions)
        due.set()
        await until(lambda: len(fold.decisions) > decided, within=5)
        written = await tape.write(3)
        await until(lambda: fold.noted == written, within=5)  # by the poll that was under way


async def test_a_patient_fold_writes_several_batches_together_and_its_checkpoint_after_them(tape: Tape) -> None:
    fold = Notebook()
    begun = time.monotonic()
    async with tape.following(fold, patience=2.0) as (loop, _):
        written = await tape.write(1)
        await until(lambda: fold.noted == written)
        written += await tape.write(2)  # another batch at least
        await until(lambda: loop.caught_up and fold.decisions[-1:] == [3])
        assert loop.lag == 0
        assert fold.written == []
        assert await stored(tape, 0)
        assert time.monotonic() - begun < 2.0, "too slow to tell"
        await until(lambda: stored(tape, 3))  # without another record
        assert fold.written == written


async def test_a_patient_fold_that_dies_is_given_again_what_it_had_not_written(tape: Tape) -> None:
    first, second = Notebook(), Notebook()
    async with tape.following(first, patience=60.0):
        written = await tape.write(3)
        await until(lambda: first.noted == written)
    assert await stored(tape, 0)
    async with tape.following(second, patience=60.0):
        await until(lambda: second.noted == written)


@pytest.mark.parametrize("halts", [True, False])
async def test_a_patient_fold_writes_everything_before_it_ends_or_halts(tape: Tape, halts: bool) -> None:
    written = await tape.write(3)
    fold = Notebook()
    if halts:
        await tape.write_bytes(newer())
        with pytest.raises(Halted):
            await tape.loop(fold, patience=60.0).run(until={tape.place: 4})
    else:
        await tape.loop(fold, patience=60.0).run(until={tape.place: 3})
    assert fold.written == written
    assert await stored(tape, 3)


async def test_a_fold_up_to_a_position_takes_nothing_beyond_it(tape: Tape) -> None:
    written = await tape.write(10)
    fold = Notebook()
    await tape.loop(fold).run(until={tape.place: 4})
    assert fold.noted == written[:4]
    assert await stored(tape, 4)
    assert fold.decisions == []
    await tape.loop(fold).run(until={tape.place: 10})
    assert fold.noted == written


async def test_it_decides_only_once_it_has_caught_up_and_again_when_idle(tape: Tape) -> None:
    await tape.write(12)
    fold = Notebook()
    async with tape.following(fold) as (loop, _):
        await until(lambda: len(fold.decisions) >= 3)
        assert loop.caught_up
        assert loop.lag == 0
    assert set(fold.decisions) == {12}


async def test_a_checkpoint_that_is_dropped_while_idle_ends_the_fold(tape: Tape, database: Mongo) -> None:
    fold = Notebook()
    await tape.write(1)
    async with tape.following(fold) as (_, task):
        await until(lambda: stored(tape, 1))
        await database.client.drop_database(database.projections.name)
        with pytest.raises(CheckpointGone):
            async with asyncio.timeout(20):
                await task
    with pytest.raises(CheckpointGone):
        await tape.loop(fold).run()
    assert await database.checkpoints.count_documents({}) == 0  # it was not made anew behind our back


async def test_a_checkpoint_that_is_dropped_during_a_batch_ends_the_fold(tape: Tape, database: Mongo) -> None:
    await tape.write(1)

    class Dropping(Notebook):
        async def write(self, noted: list[str]) -> None:
            await database.client.drop_database(database.projections.name)

    with pytest.raises(CheckpointGone):
        await tape.loop(Dropping()).run()
    assert await database.checkpoints.count_documents({}) == 0


def newer() -> bytes:
    """A fact of a type that this code does not know, in a sound envelope."""
    return orjson.dumps(orjson.loads(uploaded().encode()) | {"type": "DocumentTranslated"})


async def test_a_fact_of_an_unknown_type_halts_the_fold_and_is_never_skipped(tape: Tape) -> None:
    known = await tape.write(2)
    await tape.write_bytes(newer())
    await tape.write(2)
    for expected in (known, []):  # and so does the next life
        fold = Notebook()
        async with tape.following(fold) as (loop, task):
            await until(lambda: loop.halted)
            assert "DocumentTranslated version 1" in str(loop.halted)
            assert not loop.caught_up
            assert not task.done()
        assert fold.noted == expected
        assert await stored(tape, 2)


async def test_a_fold_that_is_to_end_somewhere_says_that_it_cannot(tape: Tape) -> None:
    await tape.write_bytes(newer())
    with pytest.raises(Halted, match="DocumentTranslated"):
        await tape.loop(Notebook()).run(until={tape.place: 1})


async def test_a_newer_version_of_a_known_fact_halts_too(tape: Tape) -> None:
    await tape.write_bytes(orjson.dumps(orjson.loads(uploaded().encode()) | {"version": 99}))
    with pytest.raises(Halted, match="DocumentUploaded version 99"):
        await tape.loop(Notebook()).run(until={tape.place: 1})


@pytest.mark.parametrize(
    "value", [b"", b"\xff\xfe", b"null", b"[]", b"{}", b'{"type": "DocumentUploaded"}', b'"' + b"x" * 1000]
)
async def test_bytes_that_are_no_envelope_are_handed_over_and_passed(tape: Tape, value: bytes) -> None:
    before = await tape.write(2)
    await tape.write_bytes(value)
    after = await tape.write(2)
    fold = Notebook()
    await tape.loop(fold).run(until={tape.place: 5})
    assert fold.noted == before + after
    assert [offset for offset, _ in fold.unreadable] == [2]


async def test_a_log_that_was_cut_below_the_checkpoint_halts(tape: Tape) -> None:
    await tape.write(10)
    await tape.loop(Notebook()).run(until={tape.place: 4})
    await tape.cut(before=7)
    with pytest.raises(Halted, match=rf"the log was cut: {tape.name}-0 holds 7 to 10, this fold continues at 4"):
        await tape.loop(Notebook()).run(until={tape.place: 10})


async def test_a_log_that_was_cut_above_the_checkpoint_is_no_matter(tape: Tape) -> None:
    written = await tape.write(10)
    await tape.loop(Notebook()).run(until={tape.place: 7})
    await tape.cut(before=7)
    fold = Notebook()
    await tape.loop(fold).run(until={tape.place: 10})
    assert fold.noted == written[7:]


async def test_a_log_that_is_shorter_than_the_checkpoint_halts(tape: Tape) -> None:
    await tape.write(3)
    await tape.checkpoint.store({tape.place: 5})
    with pytest.raises(Halted, match=r"holds 0 to 3, this fold continues at 5"):
        await tape.loop(Notebook()).run(until={tape.place: 6})


async def test_a_checkpoint_is_made_once(tape: Tape, database: Mongo) -> None:
    assert await tape.checkpoint.exists()
    await tape.checkpoint.store({tape.place: 3})
    with pytest.raises(Exception, match="duplicate key"):
        await tape.checkpoint.create({tape.place: 0})
    assert await stored(tape, 3)
    gone = Checkpoint(database, "test", "another")
    with pytest.raises(CheckpointGone):
        await gone.store({tape.place: 3})
    assert not await gone.exists()


async def test_a_log_that_was_made_anew_and_has_grown_past_the_checkpoint_halts(tape: Tape) -> None:
    first, second = Notebook(), Notebook()
    written = await tape.write(5)
    async with tape.following(first):
        await until(lambda: first.noted == written)
        await until(lambda: stored(tape, 5))
    async with kafka.admin(tape.settings.kafka) as client:
        await client.delete_topics([tape.name])
    await until(lambda: made_anew(tape))
    await tape.write(9)
    async with tape.following(second) as (loop, _):
        await until(lambda: loop.halted)
    assert "another one" in str(loop.halted)
    assert second.noted == []


async def made_anew(tape: Tape) -> bool:
    try:
        await kafka.create(tape.settings.kafka, tape.name)
    except Exception:  # it is still being deleted
        return False
    return True


async def test_a_checkpoint_of_before_has_no_marks_and_takes_them_up(tape: Tape) -> None:
    fold = Notebook()
    await tape.write(5)
    await tape.checkpoint.store({tape.place: 3})
    async with tape.following(fold):
        await until(lambda: len(fold.noted) == 2)
        await until(lambda: stored(tape, 5))
    assert list((await tape.checkpoint.load_marked())[1]) == [tape.place]
