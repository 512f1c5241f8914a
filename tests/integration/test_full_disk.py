"""Fault 15: a disk that is really full. Uploads are refused in clear words, workers wait, nothing is lost or left."""

import asyncio
import base64
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.events.document import (
    CONCLUDE,
    PLAN,
    SliceCompleted,
    StageCompleted,
    StagePlanned,
    decode_progress,
)
from shared.kafka import topics
from shared.runtime.settings import SharedSettings
from shared.storage import blob_names
from shared.storage.blobs import Blobs
from tests.support import kafka
from tests.support.gateway import GatewayProcess, Hand, environment_of, hand_of, serving
from tests.support.infrastructure import PARTITIONS, Infrastructure
from tests.support.kafka import facts_of
from tests.support.small_disk import SmallDisk, mounted
from tests.support.wait import until
from tests.support.worker import Desk

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}
FORM = {"file": ("lease.pdf", b"%PDF-1.7 as a form")}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """The disk on which the store is, and nothing else."""
    with mounted(tmp_path / "blobs") as disk:
        yield disk


def stored(disk: SmallDisk) -> dict[str, int]:
    """Every folder and file of the store with its size, but for the health mark and what fills the disk."""
    found = {path.relative_to(disk.folder).as_posix(): path.stat().st_size for path in disk.folder.rglob("*")}
    return {name: size for name, size in found.items() if name not in ("filler", ".health")}


# ---- uploads


@pytest.fixture
async def environment(infrastructure: Infrastructure, disk: SmallDisk, tmp_path: Path) -> dict[str, str]:
    await topics.provision(infrastructure.kafka, partitions=PARTITIONS)
    return environment_of(infrastructure, tmp_path)


@pytest.fixture
async def hand(environment: dict[str, str]) -> AsyncIterator[Hand]:
    async with hand_of(environment) as hand:
        yield hand


@pytest.fixture
async def gateway(environment: dict[str, str], hand: Hand, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    async with serving(environment, tmp_path / "gateway.log") as process:
        yield process


@pytest.fixture
async def http(gateway: GatewayProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:
        yield client


def refused(answer: httpx.Response) -> bool:
    """Whether the answer says that the store is full, what to do, and when to come back."""
    said = answer.json()
    assert (answer.status_code, said["code"], said["detail"]) == (507, "store_full", "The blob store is full.")
    assert "free space" in said["action"]
    return int(answer.headers["retry-after"]) > 0


UPLOADS: dict[str, dict[str, Any]] = {
    "as bytes": {"content": b"%PDF-1.7 as bytes", "params": {"filename": "a.pdf"}},
    "larger than what is left": {"content": b"%PDF-1.7 " + bytes(8 * 1024 * 1024)},
    "as a form": {"files": FORM},
    "into a batch": {"content": b"%PDF-1.7 in a batch", "params": {"batch": "May", "tag": "rent"}},
}


async def says(http: httpx.AsyncClient, words: str) -> bool:
    """Whether /readyz says `words` of the store; an answer is good for a second."""
    return bool((await http.get("/readyz")).json()["checks"]["store"] == words)


async def test_uploads_are_refused_while_the_store_is_full_and_taken_once_there_is_space(
    http: httpx.AsyncClient, disk: SmallDisk, environment: dict[str, str], infrastructure: Infrastructure
) -> None:
    before = stored(disk)
    keys = {name: {"Idempotency-Key": name} for name in UPLOADS}
    for left in (0, 4096):  # not a byte; then enough for a small file, and not for what was said of it
        disk.fill(but=left)
        for name, upload in UPLOADS.items():
            assert refused(await http.post("/v1/documents", **upload, headers=keys[name])), name
            assert stored(disk) == before, name
    disk.fill()
    await until(partial(says, http, "the store is full"))
    assert refused(await http.post("/v1/jobs", json={"title": "Nightly import"}))
    assert stored(disk) == before
    disk.free()
    await until(partial(says, http, "ok"))
    store = Blobs.open(environment["PAGESTREAM_STORE"])
    for name, upload in UPLOADS.items():
        answer = await http.post("/v1/documents", **upload, headers=keys[name])
        assert (answer.status_code, answer.json()["duplicate"]) == (202, False), name
        document_id = answer.json()["document_id"]
        source = await store.get(blob_names.source("default", document_id))
        assert source == upload.get("content", FORM["file"][1])
        assert [fact.type for fact in await facts_of(infrastructure.kafka, document_id)] == ["DocumentUploaded"]


async def test_a_resumable_upload_keeps_what_arrived_before_the_store_was_full_and_goes_on_from_there(
    http: httpx.AsyncClient, disk: SmallDisk, environment: dict[str, str], infrastructure: Infrastructure
) -> None:
    data = b"%PDF-1.7 " + os.urandom(6 * 1024 * 1024)
    metadata = f"filename {base64.b64encode(b'lease.pdf').decode()}"
    begun = await http.post(
        "/v1/uploads", headers={**TUS, "Upload-Length": str(len(data)), "Upload-Metadata": metadata}
    )
    url, half = begun.headers["location"], len(data) // 2
    document_id = url.rpartition("/")[2]

    async def patch(start: int, part: bytes) -> httpx.Response:
        return await http.patch(url, headers={**PATCH, "Upload-Offset": str(start)}, content=part)

    async def offset() -> int:
        return int((await http.head(url, headers=TUS)).headers["upload-offset"])

    assert (await patch(0, data[:half])).status_code == 204
    before = stored(disk)
    disk.fill()
    assert refused(await patch(half, data[half:]))
    assert (await offset(), stored(disk)) == (half, before)
    disk.fill(but=half + 64 * 1024)  # for the other half; not for the whole, which is written once more when it is here
    assert refused(await patch(half, data[half:]))
    assert sum(stored(disk).values()) >= len(data)
    assert f"default/{document_id}/source" not in stored(disk)
    assert refused(await http.delete(url, headers=TUS))  # it is all here: an end is owed to it
    assert await facts_of(infrastructure.kafka, document_id) == []
    disk.free()
    assert await offset() == len(data)  # and who asks has it made whole
    assert [fact.type for fact in await facts_of(infrastructure.kafka, document_id)] == ["DocumentUploaded"]
    assert await Blobs.open(environment["PAGESTREAM_STORE"]).get(blob_names.source("default", document_id)) == data
    left = {name for name in stored(disk) if name.startswith(f"default/{document_id}/")}
    assert left == {f"default/{document_id}/{what}" for what in ("source", "meta")}


# ---- workers


@pytest.fixture
def settings(settings: SharedSettings, disk: SmallDisk) -> SharedSettings:
    """The store of a worker's desk is on the small disk."""
    assert settings.store == f"file://{disk.folder}"
    return settings


async def said(desk: Desk) -> set[str]:
    """What the ticks of the document's slices say."""
    records = await kafka.records(desk.settings.kafka, topics.PROGRESS)
    mine = [record.value for record in records if record.key == desk.document_id.encode()]
    return {tick.code or "" for tick in map(decode_progress, mine)}


async def until_waiting(desk: Desk) -> None:
    """Return once people can read that the work waits for space."""

    async def told() -> bool:
        return "stage.waiting_for_space" in await said(desk)

    await until(told, what="the wait for space is told of")


@pytest.mark.parametrize(
    ("number", "kind"), [(PLAN, StagePlanned), (0, SliceCompleted), (CONCLUDE, StageCompleted)], ids=str
)
async def test_what_a_stage_computed_waits_for_space_in_the_store(
    desk: Desk, disk: SmallDisk, number: int, kind: type
) -> None:
    await desk.put_document({"do": "answer"})
    if number == CONCLUDE:
        await desk.do(desk.item(0))
    before = stored(disk)
    disk.fill()
    work = asyncio.create_task(desk.do(desk.item(number)))
    await until_waiting(desk)
    assert stored(disk) == before
    disk.free()
    (fact,) = await work
    assert isinstance(fact, kind)  # of the first attempt, without a failure
    assert len(stored(disk)) > len(before)


async def test_who_waits_for_space_stops_when_the_document_is_to_stop(desk: Desk, disk: SmallDisk) -> None:
    await desk.put_document({"do": "answer"})
    await desk.show("processing")
    disk.fill()
    item = desk.item(0)
    work = asyncio.create_task(desk.do(item))
    await until_waiting(desk)
    await desk.show("cancelling")
    assert await work == []
    lease = await desk.lease(item)
    assert (lease["ended"], lease["releases"]) == (False, 1)  # whether it is over is for the log to say


async def test_work_that_finds_no_space_for_its_temporary_files_is_done_again_when_there_is(
    desk: Desk, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.put_document({"do": "fill", "bytes": 8 * 1024 * 1024})
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    before = stored(disk)
    disk.fill(but=1024 * 1024)
    work = asyncio.create_task(desk.do(desk.item(0)))
    await until_waiting(desk)
    await until(lambda: stored(disk) == before, what="nothing of the try is left")
    disk.free()
    (done,) = await work
    assert isinstance(done, SliceCompleted)
