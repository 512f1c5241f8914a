"""Results: there as soon as they can be, named where they are not."""

import uuid
from pathlib import Path

import httpx
import pytest

from shared.events.document import CancelRequested, StageStarted
from shared.harness.contract import Plan, Slice
from shared.kafka import partition_reader, topics
from shared.storage import blob_names
from shared.storage.blobs import Blobs
from tests.support.facts import say, uploaded
from tests.support.gateway import Hand
from tests.support.infrastructure import PARTITIONS, Infrastructure
from tests.support.uploads import new_pdf, stored, upload

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    await store.put_result(blob_names.plan("default", document_id, "ocr", "p1"), plan.model_dump(mode="json"))
    page = {"page": 1, "text": "Hello", "source": "ocr", "confidence": 91.0, "width": 10, "height": 20, "words": []}
    await store.put_result(blob_names.slice_result("default", document_id, "ocr", "p1", 0), {"pages": [page]})
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
    await store.put_result(blob_names.plan("default", document_id, "ocr", "p1"), plan.model_dump(mode="json"))
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
        {"_id": f"{document_id}/e{n}", "tenant": "default", "version": n, "offset": 10 * n, "type": "T"}
        for n in (3, 1, 2)
    ]
    await hand.mongo.projection("timeline", "g1").insert_many(rows)
    here = f"/v1/documents/{document_id}/timeline"
    first = (await http.get(here, params={"limit": 2})).json()
    rest = (await http.get(here, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [event["version"] for event in first["events"] + rest["events"]] == [1, 2, 3]
    assert rest["next_cursor"] is None
    assert first["events"][0] == {"event_id": "e1", "version": 1, "offset": 10, "type": "T"}


async def test_a_document_is_shown_as_it_was_at_each_version_of_its_timeline(
    http: httpx.AsyncClient, hand: Hand, broker: Infrastructure
) -> None:
    begun = uploaded()
    document_id = begun.document_id
    told = [begun, say(StageStarted, document_id, stage="ocr", run=1, attempt=1), say(CancelRequested, document_id)]
    for fact in told:
        await hand.producer.append(fact)
        await hand.producer.append(uploaded())  # others are in the log as well
    await hand.put(document_id, 3_000_000, filename="past.pdf", status="cancelling")
    place = partition_reader.place_of(topics.DOCUMENTS, document_id, PARTITIONS)
    records = [record async for record in partition_reader.to_the_end(broker.kafka, place)]
    offsets = [record.offset for record in records if record.key == document_id.encode()]
    rows = [
        {"_id": f"{document_id}/{fact.event_id}", "tenant": "default", "version": n * 10**6, "offset": offset}
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
