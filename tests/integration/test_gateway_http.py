"""The gateway over HTTP, as a process on a real broker, database and store."""

import asyncio
import gzip
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from facts import say, uploaded
from kafka_side import facts_of

from services.gateway import web
from shared import blobs, reading, topics
from shared.blobs import Blobs
from shared.events import CancelRequested, StageStarted
from shared.harness.contract import Plan, Slice
from stack.running import Running
from tests.integration.gateway_infra import (
    PARTITIONS,
    GatewayProcess,
    Hand,
    environment_of,
    hand_of,
    infrastructure,
    serving,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PDF = b"%PDF-1.7 "


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with infrastructure(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def environment(running: Running, folder: Path) -> dict[str, str]:
    return {**environment_of(running, folder), "PAGESTREAM_MAX_UPLOAD": str(64 * 1024 * 1024)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hand(environment: dict[str, str]) -> AsyncIterator[Hand]:
    async with hand_of(environment) as hand:
        yield hand


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(environment: dict[str, str], folder: Path, hand: Hand) -> AsyncIterator[GatewayProcess]:
    async with serving(environment, folder / "gateway.log") as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: GatewayProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:
        yield client


def stored(folder: Path) -> set[str]:
    """Every file and folder of the store, but for its health mark."""
    root = folder / "blobs"
    return {path.relative_to(root).as_posix() for path in root.rglob("*")} - {".health"}


def new_pdf() -> bytes:
    return PDF + uuid.uuid4().bytes.hex().encode()


async def upload(http: httpx.AsyncClient, data: bytes, **query: Any) -> httpx.Response:
    return await http.post("/v1/documents", content=data, params={"filename": "lease.pdf", **query})


async def test_an_upload_is_in_the_store_and_in_the_log_before_it_is_answered(
    http: httpx.AsyncClient, running: Running, environment: dict[str, str]
) -> None:
    data = new_pdf()
    answer = await http.post("/v1/documents", files={"file": ("../Mietvertrag für Köln.pdf", data, "application/pdf")})
    body = answer.json()
    document_id = body["document_id"]
    assert answer.status_code == 202
    assert answer.headers["location"] == body["links"]["self"] == f"/v1/documents/{document_id}"
    store = Blobs.open(environment["PAGESTREAM_STORE"])
    assert await store.get(blobs.source("default", document_id)) == data
    meta = await store.get_result(blobs.meta("default", document_id))
    assert (meta["filename"], meta["size"]) == ("Mietvertrag für Köln.pdf", len(data))
    (fact,) = await facts_of(running.kafka, document_id)
    assert (fact.type, fact.tenant, fact.media_type) == ("DocumentUploaded", "default", "application/pdf")  # type: ignore[union-attr]


async def test_the_same_bytes_are_the_same_document_and_leave_nothing_twice(
    http: httpx.AsyncClient, running: Running, folder: Path
) -> None:
    data = new_pdf()
    first = await upload(http, data)
    before = stored(folder)
    second = await http.post("/v1/documents", files={"file": ("other name.pdf", data)})
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json()["duplicate"] is True
    assert second.json()["document_id"] == first.json()["document_id"]
    assert stored(folder) == before
    facts = await facts_of(running.kafka, first.json()["document_id"])
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


async def test_the_uploader_finds_the_document_as_soon_as_the_projection_has_it(
    http: httpx.AsyncClient, hand: Hand
) -> None:
    document_id = (await upload(http, new_pdf())).json()["document_id"]
    asked = asyncio.create_task(http.get(f"/v1/documents/{document_id}"))
    await asyncio.sleep(0.2)
    assert not asked.done()
    await hand.change(document_id, 1)
    answer = await asked
    assert answer.json()["version"] == 1
    assert answer.headers["etag"] == '"g1:1"'
    unchanged = await http.get(f"/v1/documents/{document_id}", headers={"If-None-Match": '"g1:1"'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


@pytest.mark.parametrize("document_id", [str(uuid.uuid4()), "nonsense", "..%2f..%2fetc", str(uuid.uuid4()).upper()])
async def test_an_unknown_document_is_not_found(http: httpx.AsyncClient, document_id: str) -> None:
    for path in ("", "/pages", "/text", "/chunks", "/file", "/timeline"):
        answer = await http.get(f"/v1/documents/{document_id}{path}")
        assert answer.status_code == 404
        if "%" in document_id or document_id.count("-") != 4:
            continue
        break  # the wait of two seconds is the same for all


async def test_another_tenants_document_answers_like_an_unknown_one(http: httpx.AsyncClient, hand: Hand) -> None:
    document_id = str(uuid.uuid4())
    await hand.put(document_id, 1, tenant="other")
    answer = await http.get(f"/v1/documents/{document_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "document.not_found")
    listed = (await http.get("/v1/documents", params={"limit": 200})).json()["documents"]
    assert document_id not in [view["document_id"] for view in listed]


async def test_a_long_poll_answers_with_what_is_newer(http: httpx.AsyncClient, hand: Hand) -> None:
    document_id = str(uuid.uuid4())
    await hand.change(document_id, 5)
    path = f"/v1/documents/{document_id}"
    at_once = await http.get(path, params={"wait": 25, "since": "g1:4"})
    assert at_once.json()["version"] == 5
    polling = asyncio.create_task(http.get(path, params={"wait": 25, "since": "g1:5"}))
    listing = asyncio.create_task(
        http.get("/v1/documents", params={"wait": 25, "since": (await http.get("/v1/documents")).headers["etag"][1:-1]})
    )
    await asyncio.sleep(0.2)
    assert not polling.done()
    assert not listing.done()
    await hand.change(document_id, 6)
    async with asyncio.timeout(5):
        assert (await polling).json()["version"] == 6
        assert (await listing).json()["documents"][0]["document_id"]
    unchanged = await http.get(path, params={"wait": 0.1, "since": "g1:6"})
    assert unchanged.json()["version"] == 6


async def test_a_list_is_walked_to_its_end_newest_first(http: httpx.AsyncClient, hand: Hand) -> None:
    ids = [str(uuid.uuid4()) for _ in range(5)]
    for minute, document_id in enumerate(ids):
        await hand.put(document_id, 1, status="failed", uploaded_at=f"2020-01-01T00:0{minute}:00+00:00")
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": 2, "status": "failed"} | ({"cursor": cursor} if cursor else {})
        body = (await http.get("/v1/documents", params=query)).json()
        found += [view["document_id"] for view in body["documents"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert [document_id for document_id in found if document_id in ids] == ids[::-1]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("query", ["limit=0", "limit=many", "status=lost", "cursor=x", "cursor=W10", "wait=999"])
async def test_a_wrong_parameter_is_named(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"/v1/documents?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert query.split("=", maxsplit=1)[0] in answer.json()["detail"]


async def test_results_are_answered_as_soon_as_they_are_there(
    http: httpx.AsyncClient, hand: Hand, environment: dict[str, str]
) -> None:
    document_id = str(uuid.uuid4())
    here = f"/v1/documents/{document_id}"
    await hand.put(document_id, 1)
    assert (await http.get(f"{here}/pages")).json() == {"pages": []}
    for path in ("pages/1", "pages/1/image", "text", "chunks", "extraction"):
        answer = await http.get(f"{here}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
        assert answer.json()["document_status"] == "processing"

    store = Blobs.open(environment["PAGESTREAM_STORE"])
    plan = Plan(engine="e", slices=(Slice(pages=(1, 1)), Slice(pages=(2, 2)), Slice(pages=(3, 3))), page_count=3)
    await store.put_result(blobs.plan("default", document_id, "ocr", "p1"), plan.model_dump(mode="json"))
    page = {"page": 1, "text": "Hello", "source": "ocr", "confidence": 91.0, "width": 10, "height": 20, "words": []}
    await store.put_result(blobs.piece("default", document_id, "ocr", "p1", 0), {"pages": [page]})
    slices = {"ocr": {"done": bytes([1]), "failed": [2], "running": [1]}}
    await hand.put(document_id, 2, row={"plans": {"ocr": "p1"}, "slices": slices})
    statuses = [entry["status"] for entry in (await http.get(f"{here}/pages")).json()["pages"]]
    assert statuses == ["done", "running", "failed"]
    assert (await http.get(f"{here}/pages/1")).json() == page
    answers = [await http.get(f"{here}/pages/{number}") for number in (2, 3, 4, 0)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "not_ready"),
        (409, "page_failed"),
        (404, "page.not_found"),
        (400, "bad_request"),
    ]

    offsets = [{"page": 1, "start": 0, "end": 5, "status": "done"}]
    await store.put_result(f"default/{document_id}/ocr/p1/result", {"text": "Hello", "pages": offsets})
    results = {"ocr": f"default/{document_id}/ocr/p1/result", "chunk": "c", "extract": "x"}
    await hand.put(document_id, 3, row={"results": results})
    chunks = [
        {"_id": f"{document_id}/{n}", "document_id": document_id, "tenant": "default", "index": n, "text": str(n)}
        for n in range(3)
    ]
    await hand.mongo.projection("chunks", "g1").insert_many([{**chunk, "embedding": b"\0"} for chunk in chunks])
    found = {"_id": document_id, "tenant": "default", "document_type": "letter", "findings": []}
    await hand.mongo.projection("extractions", "g1").insert_one(found)
    assert (await http.get(f"{here}/text")).json() == {"document_id": document_id, "text": "Hello", "pages": offsets}
    assert (await http.get(f"{here}/text", headers={"Accept": "text/plain"})).text == "Hello"
    first = (await http.get(f"{here}/chunks", params={"limit": 2})).json()
    rest = (await http.get(f"{here}/chunks", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [chunk["text"] for chunk in first["chunks"] + rest["chunks"]] == ["0", "1", "2"]
    assert first["chunks"][0] == {"index": 0, "text": "0"}
    assert (await http.get(f"{here}/extraction")).json() == {"document_type": "letter", "findings": []}


async def test_a_page_that_cannot_be_drawn_says_why(
    http: httpx.AsyncClient, hand: Hand, environment: dict[str, str]
) -> None:
    document_id = (await upload(http, new_pdf())).json()["document_id"]
    store = Blobs.open(environment["PAGESTREAM_STORE"])
    kinds = [{"kind": kind, "source": "ocr"} for kind in ("pdf", "png", "text")]
    slices = tuple(Slice(pages=(page, page), args=args) for page, args in enumerate(kinds, start=1))
    plan = Plan(engine="e", slices=slices, page_count=3)
    await store.put_result(blobs.plan("default", document_id, "ocr", "p1"), plan.model_dump(mode="json"))
    await hand.put(document_id, 1, row={"plans": {"ocr": "p1"}})
    here = f"/v1/documents/{document_id}/pages"
    paths = ("1/image", "2/image", "3/image", "4/image", "1/image?width=1", "1/image?width=99999", "1/image?width=x")
    answers = [await http.get(f"{here}/{path}") for path in paths]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "image_failed"),
        (409, "image_failed"),
        (404, "no_image"),
        (404, "page.not_found"),
        *[(400, "bad_request")] * 3,
    ]
    assert answers[0].json()["detail"].startswith("Page 1 cannot be shown: The PDF is damaged")
    assert not [
        name for name in stored(Path(environment["PAGESTREAM_STORE"].removeprefix("file://")).parent) if "image" in name
    ]


async def test_a_lost_or_damaged_result_is_named_and_is_no_crash(
    http: httpx.AsyncClient, hand: Hand, folder: Path
) -> None:
    document_id = str(uuid.uuid4())
    damaged = folder / "blobs" / "default" / document_id / "damaged"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"not what was written")
    for name in (f"default/{document_id}/damaged", f"default/{document_id}/missing"):
        await hand.put(document_id, 1, row={"results": {"ocr": name, "chunk": "c"}, "faults": {"chunk": {"code": "x"}}})
        for path in ("text", "chunks"):
            answer = await http.get(f"/v1/documents/{document_id}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (409, "result_missing")
    assert (await http.get(f"/v1/documents/{document_id}/file")).json()["code"] == "source_missing"


async def test_the_file_comes_back_as_a_download_that_cannot_run_here(http: httpx.AsyncClient, hand: Hand) -> None:
    page = b"<!doctype html><script>alert(1)</script>" + uuid.uuid4().hex.encode()
    sent = await http.post("/v1/documents", files={"file": ('an "ü".html', page)})
    document_id = sent.json()["document_id"]
    await hand.put(document_id, 1, filename='an "ü".html', bytes=len(page), content_type="text/html")
    answer = await http.get(f"/v1/documents/{document_id}/file")
    assert answer.content == page
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''an%20%22%C3%BC%22.html")
    assert answer.headers["content-security-policy"].startswith("sandbox")


async def test_the_timeline_is_in_the_order_of_the_log(http: httpx.AsyncClient, hand: Hand) -> None:
    document_id = str(uuid.uuid4())
    await hand.put(document_id, 1)
    rows = [
        {"_id": f"{document_id}-{n}", "document_id": document_id, "tenant": "default", "version": n, "type": "T"}
        for n in (3, 1, 2)
    ]
    await hand.mongo.projection("timeline", "g1").insert_many(rows)
    here = f"/v1/documents/{document_id}/timeline"
    first = (await http.get(here, params={"limit": 2})).json()
    rest = (await http.get(here, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [event["version"] for event in first["events"] + rest["events"]] == [1, 2, 3]
    assert rest["next_cursor"] is None
    assert first["events"][0] == {"event_id": f"{document_id}-1", "version": 1, "type": "T"}


async def test_a_document_is_shown_as_it_was_at_each_version_of_its_timeline(
    http: httpx.AsyncClient, hand: Hand, running: Running
) -> None:
    begun = uploaded()
    document_id = begun.document_id
    told = [begun, say(StageStarted, document_id, stage="ocr", run=1, attempt=1), say(CancelRequested, document_id)]
    for fact in told:
        await hand.log.append(fact)
        await hand.log.append(uploaded())  # others are in the log as well
    await hand.put(document_id, 3_000_000, filename="past.pdf", status="cancelling")
    place = reading.place_of(topics.DOCUMENTS, document_id, PARTITIONS)
    records = [record async for record in reading.to_the_end(running.kafka, place)]
    offsets = [record.offset for record in records if record.key == document_id.encode()]
    rows = [
        {"_id": fact.event_id, "document_id": document_id, "tenant": "default", "version": n * 10**6, "offset": offset}
        for n, (fact, offset) in enumerate(zip(told, offsets, strict=True), 1)
    ]
    await hand.mongo.projection("timeline", "g1").insert_many(rows)
    here = f"/v1/documents/{document_id}/timeline"
    seen = [(await http.get(f"{here}/{version}")).json() for version in (1_000_000, 2_000_003, 3_000_000, 2**53 - 1)]
    assert [one["status"] for one in seen] == ["uploaded", "processing", "cancelling", "cancelling"]
    assert [one["version"] for one in seen] == [1_000_000, 2_000_000, 3_000_000, 3_000_000]
    assert {(one["filename"], one["epoch"]) for one in seen} == {("past.pdf", "g1")}
    early = await http.get(f"{here}/999999")
    assert (early.status_code, early.json()["code"]) == (404, "version.not_found")


@pytest.mark.parametrize(
    ("view", "retry", "cancel"),
    [
        ({"status": "processing"}, 409, 202),
        ({"status": "retrying"}, 409, 202),
        ({"status": "failed"}, 202, 409),
        ({"status": "cancelled"}, 202, 409),
        ({"status": "completed"}, 409, 409),
        ({"status": "completed", "partial": True}, 202, 409),
    ],
)
async def test_retry_and_cancel_where_they_make_sense(
    http: httpx.AsyncClient, hand: Hand, view: dict[str, Any], retry: int, cancel: int
) -> None:
    document_id = str(uuid.uuid4())
    await hand.put(document_id, 1, **view)
    for path, expected in (("retry", retry), ("cancel", cancel)):
        answer = await http.post(f"/v1/documents/{document_id}/{path}")
        assert answer.status_code == expected
        if expected == 409:
            assert answer.json()["document_status"] == view["status"]


async def test_a_request_repeated_under_its_key_is_one_request(
    http: httpx.AsyncClient, hand: Hand, running: Running
) -> None:
    document_id, headers = str(uuid.uuid4()), {"Idempotency-Key": "once"}
    await hand.put(document_id, 1)
    path = f"/v1/documents/{document_id}/cancel"
    assert (await http.post(path, headers=headers)).status_code == 202
    await hand.put(document_id, 2, status="cancelled")
    assert (await http.post(path, headers=headers)).status_code == 202
    facts = await facts_of(running.kafka, document_id)
    assert [fact.type for fact in facts] == ["CancelRequested"] * 2
    assert facts[0].event_id == facts[1].event_id


async def test_a_deleted_document_is_gone_and_its_bytes_may_come_again(
    http: httpx.AsyncClient, hand: Hand, running: Running
) -> None:
    data, key = new_pdf(), {"Idempotency-Key": uuid.uuid4().hex}
    first = (await http.post("/v1/documents", content=data, headers=key)).json()["document_id"]
    await hand.put(first, 1)
    assert (await http.delete(f"/v1/documents/{first}")).status_code == 202
    await hand.delete(first, 2)
    assert (await http.get(f"/v1/documents/{first}")).status_code == 404
    assert (await http.delete(f"/v1/documents/{first}")).status_code == 404
    assert (await facts_of(running.kafka, first))[-1].type == "DocumentDeleted"
    again = await http.post("/v1/documents", content=data, headers=key)
    assert again.status_code == 202
    assert again.json()["document_id"] != first


async def test_a_claim_whose_source_is_gone_is_taken_over(http: httpx.AsyncClient, environment: dict[str, str]) -> None:
    data = new_pdf()
    first = (await upload(http, data)).json()["document_id"]
    await Blobs.open(environment["PAGESTREAM_STORE"]).delete_document("default", first)
    again, third = await upload(http, data), await upload(http, data)
    assert (again.status_code, third.status_code) == (202, 200)
    assert again.json()["document_id"] == third.json()["document_id"] != first


async def test_ready_says_what_is_missing(http: httpx.AsyncClient, hand: Hand) -> None:
    assert (await http.get("/healthz")).status_code == 200
    await hand.healthy()
    assert (await http.get("/readyz")).status_code == 200
    await hand.healthy(halted="it needs a newer release")
    answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert "needs a newer release" in answer.json()["checks"]["projection"]
    assert (await http.get("/v1/system")).json()["halted"] == ["progress"]
    await hand.healthy()


async def test_the_files_of_the_page_travel_compressed_where_that_is_understood(http: httpx.AsyncClient) -> None:
    files = {path.name: path.read_bytes() for path in web.FOLDER.iterdir()}
    weight = 0
    for name, data in files.items():
        async with http.stream("GET", f"/web/{name}", headers={"Accept-Encoding": "br, gzip"}) as answer:
            travelled = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
        assert gzip.decompress(travelled) == data
        weight += len(travelled)
    assert weight <= 100 * 1024
    etags = set()
    for accepted in ("identity", "gzip;q=0", "gzip"):
        answer = await http.get("/web/app.js", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == ("gzip" if accepted == "gzip" else None)
        assert answer.content == files["app.js"]
        known = {"Accept-Encoding": accepted, "If-None-Match": answer.headers["etag"]}
        assert (await http.get("/web/app.js", headers=known)).status_code == 304
        etags.add(answer.headers["etag"])
    assert len(etags) == 2  # the same mark never names other bytes


async def test_the_page_and_the_docs_come_with_a_strict_policy(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    again = await http.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304
    script = await http.get("/web/protocol.js")
    assert script.headers["content-type"].startswith("text/javascript")
    docs = await http.get("/docs")
    assert "POST /v1/documents" in docs.text
    assert "<script" not in docs.text
    assert (await http.get("/openapi.json")).json()["paths"]["/v1/documents/{document_id}"]["delete"]
    for path in ("/web/../settings.py", "/web/%2e%2e/settings.py", "/web/nothing", "/v1/nothing"):
        assert (await http.get(path)).json()["code"] == "not_found"
    assert (await http.put("/v1/documents")).json()["code"] == "method_not_allowed"
