"""Uploads: what is taken, what is refused, and what is left of it."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.storage import blob_names
from shared.storage.blobs import Blobs
from tests.support.gateway import GatewayProcess
from tests.support.infrastructure import Infrastructure
from tests.support.kafka import facts_of
from tests.support.uploads import PDF, new_pdf, stored, upload

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_upload_is_in_the_store_and_in_the_log_before_it_is_answered(
    http: httpx.AsyncClient, broker: Infrastructure, environment: dict[str, str]
) -> None:
    data = new_pdf()
    answer = await http.post("/v1/documents", files={"file": ("../Mietvertrag für Köln.pdf", data, "application/pdf")})
    body = answer.json()
    document_id = body["document_id"]
    assert answer.status_code == 202
    assert answer.headers["location"] == body["links"]["self"] == f"/v1/documents/{document_id}"
    store = Blobs.open(environment["PAGESTREAM_STORE"])
    assert await store.get(blob_names.source("default", document_id)) == data
    meta = await store.get_result(blob_names.meta("default", document_id))
    assert (meta["filename"], meta["size"]) == ("Mietvertrag für Köln.pdf", len(data))
    (fact,) = await facts_of(broker.kafka, document_id)
    assert (fact.type, fact.tenant, fact.media_type) == ("DocumentUploaded", "default", "application/pdf")  # type: ignore[union-attr]


async def test_the_same_bytes_are_the_same_document_and_leave_nothing_twice(
    http: httpx.AsyncClient, broker: Infrastructure, folder: Path
) -> None:
    data = new_pdf()
    first = await upload(http, data)
    before = stored(folder)
    second = await http.post("/v1/documents", files={"file": ("other name.pdf", data)})
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json()["duplicate"] is True
    assert second.json()["document_id"] == first.json()["document_id"]
    assert stored(folder) == before
    facts = await facts_of(broker.kafka, first.json()["document_id"])
    assert len(facts) == 2
    assert facts[0] == facts[1]


async def test_racing_uploads_of_the_same_bytes_end_with_one_document(http: httpx.AsyncClient) -> None:
    data = new_pdf()
    answers = await asyncio.gather(*(upload(http, data) for _ in range(8)))
    assert len({answer.json()["document_id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]


async def test_force_runs_the_same_bytes_again(http: httpx.AsyncClient) -> None:
    data = new_pdf()
    first, second = await upload(http, data), await upload(http, data, force="true")
    assert second.status_code == 202
    assert first.json()["document_id"] != second.json()["document_id"]


async def test_an_idempotency_key_repeats_its_answer_and_takes_no_other_bytes(http: httpx.AsyncClient) -> None:
    data, headers = new_pdf(), {"Idempotency-Key": uuid.uuid4().hex}
    query = {"filename": "a.pdf", "force": "true"}
    first = await http.post("/v1/documents", content=data, params=query, headers=headers)
    again = await http.post("/v1/documents", content=data, params=query, headers=headers)
    other = await http.post("/v1/documents", content=new_pdf(), params=query, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("request_fields", "status", "code"),
    [
        ({"content": b""}, 400, "empty_file"),
        ({"files": {"file": ("a.pdf", b"")}}, 400, "empty_file"),
        ({"files": {"other": ("a.pdf", b"x")}}, 400, "bad_multipart"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "bad_multipart"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "bad_multipart"),
        ({"content": b"x", "params": {"force": "perhaps"}}, 400, "bad_request"),
        ({"content": b"\x7fELF" + bytes(100)}, 415, "unsupported_type"),
        ({"content": bytes(65 * 1024 * 1024)}, 413, "too_large"),
        ({"content": b"x", "headers": {"origin": "https://evil.example"}}, 403, "foreign_origin"),
        ({"content": b"x", "headers": {"host": "evil.example"}}, 403, "foreign_host"),
    ],
)
async def test_a_refused_upload_says_why_and_leaves_nothing(
    http: httpx.AsyncClient, folder: Path, request_fields: dict[str, Any], status: int, code: str
) -> None:
    before = stored(folder)
    answer = await http.post("/v1/documents", **request_fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert answer.json()["action"]
    assert stored(folder) == before


async def test_an_upload_of_unknown_length_is_stopped_at_the_limit(http: httpx.AsyncClient, folder: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield PDF
        for _ in range(70):
            yield bytes(1024 * 1024)

    before = stored(folder)
    answer = await http.post("/v1/documents", content=endless())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert stored(folder) == before


async def test_an_upload_that_breaks_off_leaves_nothing(gateway: GatewayProcess, folder: Path) -> None:
    before = stored(folder)
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        f"POST /v1/documents?filename=a.pdf HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nContent-Length: 50000000\r\n"
    )
    writer.write(head.encode() + b"\r\n" + PDF + bytes(20_000_000))
    await writer.drain()
    async with asyncio.timeout(10):
        while stored(folder) == before:
            await asyncio.sleep(0.01)
    writer.transport.abort()
    async with asyncio.timeout(10):
        while stored(folder) != before:
            await asyncio.sleep(0.01)


async def test_memory_does_not_grow_with_the_upload(http: httpx.AsyncClient, gateway: GatewayProcess) -> None:
    def resident() -> int:
        status = Path(f"/proc/{gateway.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])  # kB, the highest so far

    await upload(http, new_pdf())
    before = resident()

    async def form() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.pdf"\r\n\r\n' + PDF
        for number in range(60):
            yield number.to_bytes(1) * (1024 * 1024)
        yield b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await http.post("/v1/documents", content=form(), headers=headers)
    assert answer.status_code == 202
    assert resident() - before < 32 * 1024


async def test_a_claim_whose_source_is_gone_is_taken_over(http: httpx.AsyncClient, environment: dict[str, str]) -> None:
    data = new_pdf()
    first = (await upload(http, data)).json()["document_id"]
    await Blobs.open(environment["PAGESTREAM_STORE"]).delete_document("default", first)
    again, third = await upload(http, data), await upload(http, data)
    assert (again.status_code, third.status_code) == (202, 200)
    assert again.json()["document_id"] == third.json()["document_id"] != first


async def test_an_upload_that_the_broker_does_not_confirm_is_answered_503_and_finished_by_its_repetition(
    http: httpx.AsyncClient, broker: Infrastructure, folder: Path
) -> None:
    data, key = new_pdf(), {"Idempotency-Key": uuid.uuid4().hex}
    with broker.frozen_broker():
        unsure = await http.post("/v1/documents", content=data, headers=key)
    assert (unsure.status_code, unsure.json()["code"]) == (503, "broker_unavailable")
    assert int(unsure.headers["retry-after"]) > 0
    before = stored(folder)
    again = await http.post("/v1/documents", content=data, headers=key)
    assert again.status_code in (200, 202)
    document_id = again.json()["document_id"]
    assert f"default/{document_id}/source" in before  # what the first had stored
    assert stored(folder) == before
    facts = await facts_of(broker.kafka, document_id)
    assert {(fact.type, fact.event_id) for fact in facts} == {("DocumentUploaded", facts[0].event_id)}
