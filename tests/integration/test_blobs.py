"""One contract for every store: files of this machine, and the S3 protocol as moto speaks it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import boto3
import pytest
from moto.server import ThreadedMotoServer

from shared.errors import Transient
from shared.storage.blob_names import meta, plan, result, slice_result, source
from shared.storage.blobs import BlobDamaged, BlobMissing, Blobs, seal, unseal
from tests.support.infrastructure import REPOSITORY

MIB: Final = 1024 * 1024
BUCKET: Final = "pagestream"

Url = str


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """A server of the S3 protocol on a free port, with one bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket=BUCKET)
    client.close()
    yield endpoint
    server.stop()


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Url:
    """An empty store."""
    if request.param == "file":
        return f"file://{tmp_path / 'store'}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3_endpoint"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def blobs(url: Url) -> Blobs:
    return Blobs.open(url)


async def names(blobs: Blobs, prefix: str) -> list[str]:
    return sorted([name async for name in blobs.names(prefix)])


async def test_what_was_put_is_got(blobs: Blobs) -> None:
    await blobs.put("t/d/a", b"one")
    await blobs.put("t/d/empty", b"")
    assert await blobs.get("t/d/a") == b"one"
    assert await blobs.get("t/d/empty") == b""
    assert await blobs.exists("t/d/a")


async def test_putting_the_same_again_changes_nothing(blobs: Blobs) -> None:
    await blobs.put("t/d/a", b"one")
    await blobs.put("t/d/a", b"one")
    assert await blobs.get("t/d/a") == b"one"


async def test_what_is_not_there_is_missing(blobs: Blobs, tmp_path: Path) -> None:
    assert not await blobs.exists("t/d/a")
    with pytest.raises(BlobMissing):
        await blobs.get("t/d/a")
    with pytest.raises(BlobMissing):
        await blobs.get_result("t/d/a")
    with pytest.raises(BlobMissing):
        async for _ in blobs.reading("t/d/a"):
            pass
    with pytest.raises(BlobMissing):
        await blobs.local("t/d/a", tmp_path / "copy")
    await blobs.delete("t/d/a")


async def test_a_result_comes_back_as_it_was(blobs: Blobs) -> None:
    value = {"text": "Füße ✓", "numbers": [1, 2.5, None], "nested": {"a": [True, {}]}}
    await blobs.put_result("t/d/ocr/p/0", value)
    assert await blobs.get_result("t/d/ocr/p/0") == value


@pytest.mark.parametrize("place", [0, 40, 90, -1])
async def test_a_flipped_byte_is_noticed_and_a_sound_put_repairs_it(blobs: Blobs, place: int) -> None:
    sound = seal({"text": "what was read", "more": list(range(20))})
    broken = bytearray(sound)
    broken[place] ^= 1
    await blobs.put("t/d/ocr/p/0", bytes(broken))
    with pytest.raises(BlobDamaged):
        await blobs.get_result("t/d/ocr/p/0")
    await blobs.put("t/d/ocr/p/0", sound)
    assert await blobs.get("t/d/ocr/p/0") == sound


@pytest.mark.parametrize("data", [b"", b"{}", seal({"a": 1})[:-1], seal({"a": 1})[:50]])
async def test_what_was_cut_off_is_damaged(data: bytes) -> None:
    with pytest.raises(BlobDamaged):
        unseal(data)


async def test_many_results_come_in_the_order_of_their_names_and_none_for_what_is_not_sound(blobs: Blobs) -> None:
    names = [f"t/d{number}/meta" for number in range(20)]  # more than are read at once
    for number, name in enumerate(names[2:], 2):
        await blobs.put_result(name, {"number": number})
    await blobs.put(names[1], b"no result")
    assert await blobs.get_results(names) == [None, None, *({"number": number} for number in range(2, 20))]
    assert await blobs.get_results([]) == []


async def test_names_are_those_below_the_prefix_and_no_others(blobs: Blobs) -> None:
    every = [source("t", "d1"), meta("t", "d1"), plan("t", "d1", "ocr", "p"), slice_result("t", "d1", "ocr", "p", 10)]
    for name in (*every, source("t", "d10"), source("u", "d1")):
        await blobs.put(name, b"x")
    assert await names(blobs, "t/d1/") == sorted(every)
    assert await names(blobs, "t/none/") == []


async def test_deleting_a_document_leaves_nothing_of_it_and_all_of_the_others(blobs: Blobs, tmp_path: Path) -> None:
    gone = [source("t", "d1"), meta("t", "d1"), *(slice_result("t", "d1", "ocr", "p", n) for n in range(20))]
    kept = [source("t", "d10"), source("t", "d2"), source("u", "d1")]
    for name in (*gone, *kept):
        await blobs.put(name, b"x")
    await blobs.delete_document("t", "d1")
    assert await names(blobs, "t/") + await names(blobs, "u/") == sorted(kept)
    assert not (tmp_path / "store" / "t" / "d1").exists()
    await blobs.delete_document("t", "d1")


def test_a_partial_result_never_hides_the_whole() -> None:
    assert len({result("t", "d", "ocr", "p", missing) for missing in [(), (1,), (2,), (1, 2)]}) == 4


async def test_a_local_file_has_the_bytes(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("t/d/source", b"bytes" * 100_000)
    path = await blobs.local("t/d/source", tmp_path / "copy")
    assert path.read_bytes() == b"bytes" * 100_000


async def test_a_stream_that_breaks_off_leaves_nothing(blobs: Blobs) -> None:
    async def break_off() -> None:
        async with blobs.writing("t/d/source") as writer:
            for _ in range(12):
                await writer.write(b"x" * MIB)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await break_off()
    assert await names(blobs, "t/") == []


async def test_an_error_of_whoever_writes_a_stream_is_not_taken_for_one_of_the_store(blobs: Blobs) -> None:
    async def break_off() -> None:
        async with blobs.writing("t/d/source") as writer:
            await writer.write(b"x")
            raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        await break_off()


async def test_an_empty_stream_is_an_empty_blob(blobs: Blobs) -> None:
    async with blobs.writing("t/d/source"):
        pass
    assert await blobs.get("t/d/source") == b""


STREAMS: Final = """
import asyncio, hashlib, os, sys
from shared.storage.blobs import Blobs

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024

async def main(url, size):
    blobs = Blobs.open(url)
    part = bytes(range(256)) * 1024  # 256 KiB
    async def write(name, size):
        async with blobs.writing(name) as writer:
            for _ in range(size // len(part)):
                await writer.write(part)
    async def read(name):
        digest, total = hashlib.sha256(), 0
        async for piece in blobs.reading(name):
            digest.update(piece)
            total += len(piece)
        return total, digest.hexdigest()
    await write("t/small/source", 10 * 2**20)  # threads, buffers and pools are there after this
    await read("t/small/source")
    before = peak()
    await write("t/large/source", size)
    written = peak() - before
    total, digest = await read("t/large/source")
    both = peak() - before
    assert total == size and digest == hashlib.sha256(part * (size // len(part))).hexdigest()
    assert [name async for name in blobs.names("t/large")] == ["t/large/source"]
    print(written, both, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
os._exit(0)  # the store's threads may abort an interpreter that takes its time to end
"""


def test_streams_take_the_same_memory_whatever_their_length(url: Url) -> None:
    size = 20 * MIB if url.startswith("s3") else 100 * MIB  # the server keeps all of it in the memory of this process
    answer = subprocess.run(
        [sys.executable, "-c", STREAMS, url, str(size)],
        cwd=REPOSITORY, env=dict(os.environ), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    written, both = map(int, answer.stdout.split())
    assert written < 16 * MIB
    assert both < 24 * MIB


async def test_a_store_that_does_not_answer_is_transient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    blobs = Blobs.open(f"file://{folder}")
    await blobs.check()
    (folder / "t").write_text("a file where a folder should be")
    with pytest.raises(Transient, match="The blob store does not answer"):
        await blobs.put("t/d/a", b"x")


def test_an_address_of_another_kind_stops_the_start() -> None:
    with pytest.raises(SystemExit, match="PAGESTREAM_STORE='http://x' is not allowed"):
        Blobs.open("http://x")


async def test_each_document_is_listed_once_however_many_blobs_and_pages_there_are(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.blobs._PAGE", 2)
    stored = {("a", "1"), ("a", "2"), ("a", "2-b"), ("b", "1")}
    for tenant, document_id in stored:
        for name in (
            source(tenant, document_id),
            meta(tenant, document_id),
            result(tenant, document_id, "ocr", "p", ()),
        ):
            await blobs.put(name, b"x")
    await blobs.check()  # writes a blob that is nobody's
    listed = [found async for found in blobs.documents()]
    assert sorted(listed) == sorted(stored)
