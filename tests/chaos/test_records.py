"""Faults of the log: records that nobody can read or knows, duplicates out of order, a log that was cut."""

import asyncio
import os
import random
import signal
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import CommitFailedError

from shared.events.document import Progress, utcnow
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.storage.mongo import Mongo, Row
from tests.chaos import pictures
from tests.chaos.chaos_system import STAGES, ChaosSystem
from tests.chaos.conftest import Fault
from tests.support import kafka
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)


async def readiness(system: ChaosSystem) -> tuple[int, str]:
    """The status of /readyz, and what it says of the projection."""
    async with httpx.AsyncClient(base_url=system.url, trust_env=False, timeout=10) as http:
        answer = await http.get("/readyz")
    return answer.status_code, answer.json()["checks"]["projection"]


async def until_halted(system: ChaosSystem, words: str) -> None:
    """Return once the projection has halted and says why."""

    async def says_so() -> bool:
        status, said = await readiness(system)
        return status == 503 and "halted" in said and words in said

    await until(says_so, within=60, what=f"/readyz says: {words}")


async def test_9_records_that_are_no_envelope(system: ChaosSystem, fault: Fault) -> None:
    with fault(9, "records that are no envelope, in every topic"):
        before = await system.upload(pictures.note(1), "note.txt")
        async with Producer.connect(system.settings.kafka) as producer:
            names = [topics.DOCUMENTS, topics.PROGRESS, *(topics.slices(stage) for stage in STAGES)]
            for name in names:
                for partition in range(system.settings.partitions):
                    await producer.send(name, b"\x00 not for us", key=f"{partition}")
        after = await system.upload(pictures.picture())
        await system.completed(before, after)

        async def parked() -> bool:
            found = await kafka.records(system.settings.kafka, topics.PARKED)
            return {dict(record.headers)["parked-from"].decode() for record in found} == set(names)

        await until(parked, what="each topic has parked records")
        await system.check()


@pytest.mark.parametrize("stranger", [{"type": "DocumentAdmired"}, {"version": 99}], ids=["type", "version"])
@pytest.mark.soak
async def test_9_a_fact_that_nobody_knows_halts_every_fold_and_no_upload(
    ruin: ChaosSystem, fault: Fault, stranger: dict[str, Any]
) -> None:
    with fault(9, f"a fact with an unknown {next(iter(stranger))}"):
        first = await ruin.upload(pictures.note(1), "note.txt")
        await ruin.completed(first)
        (known, *_) = await ruin.facts(first)
        unknown = known.model_copy(update={"event_id": "00000000-0000-0000-0000-000000000001", **stranger})
        async with Producer.connect(ruin.settings.kafka) as producer:
            await producer.append(unknown)
        await until_halted(ruin, "needs a newer release")
        accepted = await ruin.upload(pictures.note(2), "note.txt")
        keys = [record.key for record in await kafka.records(ruin.settings.kafka, topics.DOCUMENTS)]
        assert accepted.encode() in keys
        await ruin.restart("progress")
        await until_halted(ruin, "needs a newer release")  # and a restart does not skip it either
        assert (await ruin.get(first))["status"] == "completed"  # what was known before can be read


async def test_11_duplicated_reordered_and_delayed_events(system: ChaosSystem, fault: Fault, seed: int) -> None:
    chance = random.Random(seed)
    ids = [
        await system.upload(data, name)
        for data, name in ((pictures.note(1), "note.txt"), (pictures.scan(1, 1), "two.pdf"), (b"%PDF-1.7 broken", "b"))
    ]
    for document_id in ids:
        await system.until(document_id)
    await system.check()
    before = await system.digest()
    with fault(11, "every fact twice more, in any order, and late ticks"):
        again = [fact for document_id in ids for fact in await system.facts(document_id)] * 2
        chance.shuffle(again)
        async with Producer.connect(system.settings.kafka) as producer:
            for fact in again:
                await producer.append(fact)
            for document_id in ids:
                producer.tick(late(document_id))
        await system.check()
        assert await system.digest() == before


def late(document_id: str) -> Progress:
    """A sign of life of a slice that has long ended."""
    return Progress(
        document_id=document_id, tenant="default", stage="ocr", attempt=1, slice=0, fraction=0.5,
        code="ocr.reading_page", params={"page": 1}, at=utcnow(),
    )  # fmt: skip


@pytest.mark.soak
async def test_13_a_log_that_ends_before_the_checkpoint_halts_the_fold_until_it_is_back(
    system: ChaosSystem, fault: Fault
) -> None:
    with fault(13, "the log ends before the checkpoint (recreated)"):
        generation = await system.until_ready()
        mine, place = {"_id": f"progress/{generation}"}, f"{topics.DOCUMENTS}-0"
        async with system.database() as database:
            row = await database.checkpoints.find_one(mine)
            assert row
            offsets = row["offsets"]
            await stop_and(system, database, mine, {**offsets, place: offsets[place] + 1000})
            await until_halted(system, f"the log was cut: {place}")
            accepted = await system.upload(pictures.note(1), "note.txt")  # uploads are still taken
            await stop_and(system, database, mine, offsets)
        await system.completed(accepted)
        await system.check()


async def stop_and(system: ChaosSystem, database: Mongo, which: Row, offsets: Row) -> None:
    """Write a checkpoint behind the back of its fold, which reads it when it starts again."""
    pid = system.pid_of("progress")
    assert pid
    os.kill(pid, signal.SIGSTOP)  # a fold that is at work would write its own over it
    await database.checkpoints.update_one(which, {"$set": {"offsets": offsets}})
    await system.restart("progress", signal.SIGKILL)


@pytest.mark.soak
async def test_13_a_log_that_was_cut_halts_a_fold_that_begins_anew(ruin: ChaosSystem, fault: Fault) -> None:
    with fault(13, "the log cut at its beginning"):
        before = await ruin.upload(pictures.note(1), "note.txt")
        await ruin.completed(before)
        await ruin.check()
        places = [TopicPartition(topics.DOCUMENTS, number) for number in range(ruin.settings.partitions)]
        async with kafka.admin(ruin.settings.kafka) as admin:
            await admin.delete_records({place: RecordsToDelete(-1) for place in places})  # -1: up to the end
        after = await ruin.upload(pictures.note(2), "note.txt")
        await ruin.completed(after)  # whoever has read it already is not concerned
        await ruin.drop_projections()
        await until_halted(ruin, "the log was cut")
        await ruin.upload(pictures.note(3), "note.txt")


@pytest.mark.soak
async def test_13_work_items_whose_offsets_are_gone_are_not_worked_on_again(system: ChaosSystem, fault: Fault) -> None:
    done = await system.upload(pictures.scan(1, 1))
    await system.completed(done)
    await system.check()
    runs, facts = len(system.runs()), await system.claims(done)
    with fault(13, "the offsets of every group are gone"):
        await asyncio.to_thread(system.end)
        try:
            for stage in STAGES:
                await until(partial(forget_offsets, system, stage), within=30, what=f"{stage}: the group is empty")
        finally:
            await system.start()
        new = await system.upload(pictures.note(4), "note.txt")
        await system.completed(new)
        await system.check()
    assert len(system.runs()) == runs
    assert await system.claims(done) == facts  # a lease that has ended has its fact appended once more


async def forget_offsets(system: ChaosSystem, stage: str) -> bool:
    """Let the group of a stage's workers begin at the beginning; False while a static member is still expected back."""
    group = AIOKafkaConsumer(
        bootstrap_servers=system.settings.kafka, group_id=f"workers.{stage}", enable_auto_commit=False
    )
    places = [TopicPartition(topics.slices(stage), number) for number in range(system.settings.partitions)]
    async with group:
        group.assign(places)
        with suppress(CommitFailedError):
            await group.commit(dict.fromkeys(places, 0))
            return True
    return False
