"""One look at log, database, blobs and processes, by readers that share nothing with the services but the format."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.events.document import DocumentFact, NotAnEnvelope, UnknownFact, decode
from shared.events.pipeline import PIPELINE
from shared.kafka import topics
from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from shared.storage.blobs import BlobDamaged, BlobMissing, Blobs
from shared.storage.mongo import Collection, Mongo
from tests.support import kafka, processes
from tests.support.invariants import Logged, Observation, Positions, Row, fold


async def observe(settings: SharedSettings, temporary: Path | None = None) -> Observation:
    """Look once. `temporary` is where the services put their files; None = where everybody does."""
    log, unknown = await read_log(settings.kafka)
    async with mongo.connect(settings) as database:
        generation = await database.live_generation()
        rows = {name: await _rows(database.projection(name, generation or "")) for name in mongo.PROJECTIONS}
        halted = {row["_id"]: row["halted"] async for row in database.control["status"].find() if row.get("halted")}
        stages = [line.stage for line in PIPELINE]
        return Observation(
            log=log,
            ends=await _ends(settings),
            checkpoints=await _checkpoints(database, generation),
            documents=rows["documents"],
            jobs=rows["processing_jobs"],
            timeline=rows["timeline"],
            coordinators={stage: await _rows(database.coordinator(stage)) for stage in stages},
            chunks=_chunks(rows["chunks"]),
            extractions=rows["extractions"],
            results=await _results(Blobs.open(settings.store), log),
            leases=[row async for row in database.control["leases"].find()],
            group_lags={stage: await _group_lag(settings, stage) for stage in stages},
            halted=halted | unknown,
            strays=list(strays(settings.kafka)),
            folders=[str(folder) for folder in abandoned(temporary or Path(tempfile.gettempdir()))],
        )


async def read_log(bootstrap: str) -> tuple[list[Logged], dict[str, str]]:
    """The facts about documents in the order of each partition, and by partition what nobody knows."""
    log, unknown = [], {}
    for record in await kafka.records(bootstrap, topics.DOCUMENTS):
        try:
            fact = decode(record.value)
        except NotAnEnvelope:
            continue  # parked, and skipped by every fold alike
        except UnknownFact as error:
            unknown[f"{topics.DOCUMENTS}-{record.partition}"] = str(error)
            continue
        if isinstance(fact, DocumentFact):
            log.append(Logged(record.partition, record.offset, fact))
    return log, unknown


async def _ends(settings: SharedSettings) -> Positions:
    names = (topics.DOCUMENTS, topics.PROGRESS)
    places = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
    return {f"{p.topic}-{p.partition}": end for p, end in (await _end_offsets(settings.kafka, places)).items()}


async def _end_offsets(bootstrap: str, places: list[TopicPartition]) -> Mapping[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        found: Mapping[TopicPartition, int] = await consumer.end_offsets(places)
        return found
    finally:
        await consumer.stop()


async def _group_lag(settings: SharedSettings, stage: str) -> int:
    """The work items that no worker of the stage has acknowledged."""
    places = [TopicPartition(topics.slices(stage), number) for number in range(settings.partitions)]
    async with kafka.admin(settings.kafka) as admin:
        committed = await admin.list_consumer_group_offsets(f"workers.{stage}")
    ends = await _end_offsets(settings.kafka, places)
    return sum(end - (max(0, committed[place].offset) if place in committed else 0) for place, end in ends.items())


async def _checkpoints(database: Mongo, generation: str | None) -> dict[str, Positions]:
    found = {row["_id"]: row["offsets"] async for row in database.checkpoints.find()}
    live = {f"progress/{generation}": "progress"}
    return {live.get(i, i): offsets for i, offsets in found.items() if i in live or i.startswith("coordinator/")}


async def _rows(collection: Collection) -> dict[str, Row]:
    return {row["_id"]: row async for row in collection.find({}, {"embedding": 0})}


def _chunks(rows: Mapping[str, Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in sorted(rows.values(), key=lambda row: row["index"]):
        found.setdefault(row["document_id"], []).append(row["text"])
    return found


async def _results(blobs: Blobs, log: list[Logged]) -> dict[str, Any]:
    names = {
        stage_state.result
        for state in fold(log).values()
        for stage_state in state.stages.values()
        if stage_state.result
    }
    return {name: await _result(blobs, name) for name in names}


async def _result(blobs: Blobs, name: str) -> Any:
    try:
        return await blobs.get_result(name)
    except (BlobMissing, BlobDamaged):
        return None


def strays(bootstrap: str) -> Iterator[str]:
    """The recognisers of this system whose parent is gone, and what its services have started and not reaped."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        parent = processes.parent_of(pid)
        if parent and not processes.is_alive(pid) and _is_of(parent, bootstrap):
            yield f"zombie {pid} of {parent}"
    for pid, command in processes.commands():
        started = any("shared.harness.sandbox.child" in word or "tesseract" in word for word in command[:4])
        if started and _is_of(pid, bootstrap) and not _is_of(processes.parent_of(pid) or 1, bootstrap):
            yield f"process {pid} ({' '.join(command)[:80]})"


def _is_of(pid: int, bootstrap: str) -> bool:
    """Whether a process was started with the address of our broker."""
    try:
        return f"PAGESTREAM_KAFKA={bootstrap}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def abandoned(temporary: Path) -> Iterator[Path]:
    """The private folders of workers that are gone."""
    for folder in temporary.glob("pagestream-*-*"):
        maker = re.match(r"pagestream-(\d+)-", folder.name)
        if maker and not os.path.exists(f"/proc/{maker[1]}"):  # noqa: PTH110 — a name of the kernel's
            yield folder
