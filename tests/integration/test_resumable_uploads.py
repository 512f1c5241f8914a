"""Resumable uploads: each rule of tus 1.0.0, on a gateway process with a real broker, database and store."""

import asyncio
import base64
import hashlib
import os
import shutil
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.storage import blob_names
from shared.storage.blobs import Blobs
from tests.support.gateway import GatewayProcess, Hand
from tests.support.infrastructure import Infrastructure
from tests.support.kafka import facts_of
from tests.support.uploads import new_pdf, stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}
MAX = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PAGESTREAM_MAX_UPLOAD": str(MAX)}


def metadata(**pairs: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs.items())


async def create(http: httpx.AsyncClient, length: int, **pairs: str) -> str:
    """The address of a new upload."""
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(**pairs)}
    answer = await http.post("/v1/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def patch(http: httpx.AsyncClient, url: str, offset: int, data: Any, **headers: str) -> httpx.Response:
    return await http.patch(url, headers={**PATCH, "Upload-Offset": str(offset), **headers}, content=data)


async def offset_of(http: httpx.AsyncClient, url: str) -> int:
    answer = await http.head(url, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["tus-resumable"] == "1.0.0"
    return answer.status_code, answer.json()["code"]


def digest(data: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


async def test_the_server_says_what_it_can_do(http: httpx.AsyncClient) -> None:
    answer = await http.options("/v1/uploads")
    assert answer.status_code == 204
    assert (answer.headers["tus-version"], answer.headers["tus-max-size"]) == ("1.0.0", str(MAX))
    extensions = set(answer.headers["tus-extension"].split(","))
    assert extensions == {"creation", "creation-with-upload", "checksum", "termination", "expiration"}
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


async def test_an_upload_in_parts_becomes_the_document_of_its_id(
    http: httpx.AsyncClient, infrastructure: Infrastructure, environment: dict[str, str], folder: Path
) -> None:
    data = new_pdf()
    url = await create(http, len(data), filename="../Mietvertrag für Köln.pdf", filetype="application/pdf", tags="a, b")
    document_id = url.rpartition("/")[2]
    answers = [await patch(http, url, start, data[start : start + 20]) for start in range(0, len(data), 20)]
    assert {answer.status_code for answer in answers} == {204}
    assert answers[0].headers["upload-expires"].endswith(" GMT")
    assert "content-location" not in answers[0].headers
    assert answers[-1].headers["content-location"] == f"/v1/documents/{document_id}"
    store = Blobs.open(environment["PAGESTREAM_STORE"])
    assert await store.get(blob_names.source("default", document_id)) == data
    meta = await store.get_result(blob_names.meta("default", document_id))
    assert (meta["filename"], meta["content_type"], meta["tags"]) == (
        "Mietvertrag für Köln.pdf",
        "application/pdf",
        ["a", "b"],
    )
    (fact,) = await facts_of(infrastructure.kafka, document_id)
    assert (fact.type, fact.tenant, fact.size) == ("DocumentUploaded", "default", len(data))  # type: ignore[union-attr]
    assert await offset_of(http, url) == len(data)
    assert {name for name in stored(folder) if name.startswith(f"default/{document_id}/")} == {
        f"default/{document_id}/meta",
        f"default/{document_id}/source",
    }


async def test_the_first_bytes_may_come_with_the_creation(http: httpx.AsyncClient) -> None:
    data = new_pdf()
    headers = {**PATCH, "Upload-Length": str(len(data))}
    answer = await http.post("/v1/uploads", headers=headers, content=data[:10])
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "10")
    url = answer.headers["location"]
    assert (await patch(http, url, 10, data[10:])).headers["pagestream-duplicate"] == "false"


async def test_head_says_what_was_said_at_the_creation_and_is_never_cached(http: httpx.AsyncClient) -> None:
    url = await create(http, 100, filename="a.pdf")
    answer = await http.head(url, headers=TUS)
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.headers["upload-length"], answer.headers["upload-offset"]) == ("100", "0")
    assert answer.headers["upload-metadata"] == metadata(filename="a.pdf")


async def test_bytes_that_are_here_already_are_the_document_that_has_them(
    http: httpx.AsyncClient, folder: Path
) -> None:
    data = new_pdf()
    first = (await http.post("/v1/documents", content=data)).json()["document_id"]
    before = stored(folder)
    url = await create(http, len(data))
    answer = await patch(http, url, 0, data)
    assert answer.headers["content-location"] == f"/v1/documents/{first}"
    assert answer.headers["pagestream-duplicate"] == "true"
    assert stored(folder) == before
    again = await create(http, len(data), force="true")
    assert (await patch(http, again, 0, data)).headers["pagestream-duplicate"] == "false"


async def test_a_part_whose_bytes_are_not_those_of_the_checksum_is_not_kept(
    http: httpx.AsyncClient, folder: Path
) -> None:
    data = new_pdf()
    url = await create(http, len(data))
    before = stored(folder)
    wrong = await patch(http, url, 0, data[:20], **{"Upload-Checksum": digest(b"others")})
    assert code_of(wrong) == (460, "upload.wrong_checksum")
    assert (await offset_of(http, url), stored(folder)) == (0, before)
    for algorithm, start, end in (("sha1", 0, 20), ("sha256", 20, len(data))):
        part = data[start:end]
        assert (await patch(http, url, start, part, **{"Upload-Checksum": digest(part, algorithm)})).status_code == 204


async def test_an_upload_that_is_given_up_leaves_nothing(http: httpx.AsyncClient, folder: Path) -> None:
    before = stored(folder)
    url = await create(http, 100)
    await patch(http, url, 0, b"%PDF-1.7 ")
    assert (await http.delete(url, headers=TUS)).status_code == 204
    assert stored(folder) == before
    assert (await http.head(url, headers=TUS)).status_code == 404
    assert code_of(await patch(http, url, 9, b"x")) == (404, "upload.not_found")


async def test_giving_up_what_is_whole_leaves_the_document(http: httpx.AsyncClient, folder: Path) -> None:
    data = new_pdf()
    url = await create(http, len(data))
    await patch(http, url, 0, data)
    assert (await http.delete(url, headers=TUS)).status_code == 204
    assert f"default/{url.rpartition('/')[2]}/source" in stored(folder)


async def test_an_upload_that_did_not_move_for_long_is_gone(http: httpx.AsyncClient, hand: Hand) -> None:
    url = await create(http, 100)
    row = {"_id": url.rpartition("/")[2]}
    rows = hand.mongo.control["partial_uploads"]
    await rows.update_one(row, [{"$set": {"expires_at": {"$subtract": ["$expires_at", 86_400_000]}}}])
    assert code_of(await patch(http, url, 0, b"x")) == (410, "upload.expired")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "5"}, 412, "upload.wrong_version"),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 412, "upload.wrong_version"),
        ({**TUS}, 400, "bad_request"),
        ({**TUS, "Upload-Length": "-1"}, 400, "bad_request"),
        ({**TUS, "Upload-Length": "0"}, 400, "empty_file"),
        ({**TUS, "Upload-Length": str(MAX + 1)}, 413, "too_large"),
        ({**TUS, "Upload-Length": "5", "Upload-Metadata": "filename %%%"}, 400, "bad_request"),
        ({**TUS, "Upload-Length": "5", "Upload-Metadata": metadata(languages="English")}, 400, "bad_request"),
        ({**TUS, "Upload-Length": "5", "Content-Type": "text/plain"}, 415, "upload.wrong_content_type"),
    ],
)
async def test_a_creation_that_cannot_be_is_refused(
    http: httpx.AsyncClient, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await http.post("/v1/uploads", headers=headers)
    assert code_of(answer) == (status, code)
    assert answer.headers.get("tus-version") == ("1.0.0" if status == 412 else None)


@pytest.mark.parametrize(
    ("headers", "data", "status", "code"),
    [
        ({**PATCH, "Upload-Offset": "1"}, b"x", 409, "upload.wrong_offset"),
        ({**PATCH, "Upload-Offset": "x"}, b"x", 400, "bad_request"),
        ({**PATCH}, b"x", 400, "bad_request"),
        ({**PATCH, "Upload-Offset": "0"}, b"12345678901", 413, "upload.too_long"),
        ({**PATCH, "Upload-Offset": "0", "Upload-Checksum": "crc32 AAAA"}, b"x", 400, "bad_request"),
        ({**PATCH, "Upload-Offset": "0", "Upload-Checksum": "sha1 %"}, b"x", 400, "bad_request"),
        ({**TUS, "Upload-Offset": "0", "Content-Type": "text/plain"}, b"x", 415, "upload.wrong_content_type"),
        ({"Upload-Offset": "0"}, b"x", 412, "upload.wrong_version"),
    ],
)
async def test_a_part_that_cannot_be_is_refused_and_nothing_of_it_is_kept(
    http: httpx.AsyncClient, folder: Path, headers: dict[str, str], data: bytes, status: int, code: str
) -> None:
    url = await create(http, 10)
    before = stored(folder)
    assert code_of(await http.patch(url, headers=headers, content=data)) == (status, code)
    assert (await offset_of(http, url), stored(folder)) == (0, before)


async def test_what_is_no_document_is_refused_in_the_end_and_leaves_nothing(
    http: httpx.AsyncClient, folder: Path
) -> None:
    before = stored(folder)
    data = b"\x7fELF" + os.urandom(20)
    url = await create(http, len(data))
    assert code_of(await patch(http, url, 0, data)) == (415, "unsupported_type")
    assert stored(folder) == before
    assert (await http.head(url, headers=TUS)).status_code == 404


async def test_of_parts_that_race_for_the_same_bytes_one_wins(http: httpx.AsyncClient, folder: Path) -> None:
    data = new_pdf()
    url = await create(http, len(data) + 1)
    answers = await asyncio.gather(*(patch(http, url, 0, data) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [204] + [409] * 5
    assert await offset_of(http, url) == len(data)
    parts = [name for name in stored(folder) if f"{url.rpartition('/')[2]}/part" in name]
    assert len(parts) == 1


async def test_last_parts_that_race_make_one_document(http: httpx.AsyncClient, infrastructure: Infrastructure) -> None:
    data = new_pdf()
    url = await create(http, len(data))
    await patch(http, url, 0, data[:-1])
    answers = await asyncio.gather(
        *(patch(http, url, len(data) - 1, data[-1:]) for _ in range(3)),
        *(http.head(url, headers=TUS) for _ in range(3)),
    )
    assert sorted(answer.status_code for answer in answers[:3]) == [204, 409, 409]
    facts = await facts_of(infrastructure.kafka, url.rpartition("/")[2])
    assert len({fact.event_id for fact in facts}) == 1


async def test_a_broken_connection_keeps_what_arrived(gateway: GatewayProcess, http: httpx.AsyncClient) -> None:
    data = new_pdf() + os.urandom(100_000).hex().encode()
    url = await create(http, len(data))
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    lines = [f"PATCH {url} HTTP/1.1", f"Host: 127.0.0.1:{gateway.port}", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in {**PATCH, "Upload-Offset": "0"}.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + data[:150_000])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(10):
        while not (offset := await offset_of(http, url)):
            await asyncio.sleep(0.02)
    assert offset <= 150_000
    answer = await patch(http, url, offset, data[offset:])
    assert answer.status_code == 204
    document_id = answer.headers["content-location"].rpartition("/")[2]
    assert document_id == url.rpartition("/")[2]


async def test_a_gateway_killed_in_the_middle_of_a_part_goes_on_after_the_last_one_that_counts(
    environment: dict[str, str], folder: Path, hand: Hand, tmp_path: Path
) -> None:
    process = GatewayProcess(environment, tmp_path / "gateway.log")
    await process.start()
    part = 16 * 1024 * 1024
    data = b"%PDF-1.7 " + uuid.uuid4().hex.encode() + os.urandom(part + 1024 * 1024)
    came = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        for start in range(0, part + 512 * 1024, 256 * 1024):
            yield data[start : start + 256 * 1024]
        came.set()
        await asyncio.Event().wait()

    async with httpx.AsyncClient(base_url=process.url, timeout=30) as http:
        url = await create(http, len(data), force="true")
        sending = asyncio.create_task(patch(http, url, 0, stalling()))
        await came.wait()
        async with asyncio.timeout(20):
            while not await hand.mongo.control["upload_parts"].find_one({"document_id": url.rpartition("/")[2]}):
                await asyncio.sleep(0.02)
        await process.stop(signal.SIGKILL)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    await process.start()
    async with httpx.AsyncClient(base_url=process.url, timeout=30) as http:
        offset = await offset_of(http, url)
        assert part <= offset < part + 512 * 1024
        assert (await patch(http, url, offset, data[offset:])).status_code == 204
    source = folder / "blobs" / blob_names.source("default", url.rpartition("/")[2])
    assert source.read_bytes() == data
    assert await process.stop() == 0


async def test_a_last_part_whose_answer_was_lost_is_made_whole_by_who_asks(
    http: httpx.AsyncClient, hand: Hand, infrastructure: Infrastructure
) -> None:
    """As after a kill between the last part and the fact: all bytes are here, and the upload is not finished."""
    data = new_pdf()
    url = await create(http, len(data) + 1)
    document_id = url.rpartition("/")[2]
    await patch(http, url, 0, data)
    await hand.mongo.control["partial_uploads"].update_one({"_id": document_id}, {"$set": {"length": len(data)}})
    assert await facts_of(infrastructure.kafka, document_id) == []
    assert await offset_of(http, url) == len(data)
    assert len(await facts_of(infrastructure.kafka, document_id)) == 1


CLIENT = """
import { createReadStream, statSync } from 'node:fs'
import { Upload } from 'tus-js-client'
const [endpoint, path] = process.argv.slice(2)
let cut = false
const upload = new Upload(createReadStream(path), {
  endpoint, chunkSize: 256 * 1024, uploadSize: statSync(path).size, retryDelays: [50, 50, 50],
  metadata: { filename: 'lease.pdf', filetype: 'application/pdf', batch: 'May' },
  onAfterResponse: (request, response) => {
    if (!cut && request.getMethod() === 'PATCH') { cut = true; throw new Error('the answer was lost') }
  },
  onError: (error) => { console.error(String(error)); process.exit(1) },
  onSuccess: () => console.log(upload.url),
})
upload.start()
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="tus-js-client needs Node.js; the rules above are tested alone")
async def test_a_client_from_npm_uploads_and_resumes_after_a_lost_answer(
    gateway: GatewayProcess, environment: dict[str, str], tmp_path: Path
) -> None:
    data = b"%PDF-1.7 " + os.urandom(1024 * 1024)
    (tmp_path / "lease.pdf").write_bytes(data)
    (tmp_path / "client.mjs").write_text(CLIENT)
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "tus-js-client@4.3.1"]
    await run(*install, cwd=tmp_path)
    url = await run("node", "client.mjs", f"{gateway.url}/v1/uploads", "lease.pdf", cwd=tmp_path)
    document_id = url.rpartition("/")[2]
    store = Blobs.open(environment["PAGESTREAM_STORE"])
    assert await store.get(blob_names.source("default", document_id)) == data
    meta = await store.get_result(blob_names.meta("default", document_id))
    assert (meta["filename"], meta["batch"]) == ("lease.pdf", "May")


async def run(*command: str, cwd: Path) -> str:
    """What a program says, once it has ended well."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(60):
        out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode().strip()
