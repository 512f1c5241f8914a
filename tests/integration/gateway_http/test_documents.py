"""Documents: views, lists, long polls, and what a person asks of one."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.gateway import Hand
from tests.support.infrastructure import Infrastructure
from tests.support.kafka import facts_of
from tests.support.uploads import new_pdf, upload

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


@pytest.mark.parametrize(
    "document_id",
    [str(uuid.uuid4()), "nonsense", "..%2f..%2fetc", str(uuid.uuid4()).upper()],
    ids=["new", "word", "path", "upper case"],
)
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
    http: httpx.AsyncClient, hand: Hand, broker: Infrastructure
) -> None:
    document_id, headers = str(uuid.uuid4()), {"Idempotency-Key": "once"}
    await hand.put(document_id, 1)
    path = f"/v1/documents/{document_id}/cancel"
    assert (await http.post(path, headers=headers)).status_code == 202
    await hand.put(document_id, 2, status="cancelled")
    assert (await http.post(path, headers=headers)).status_code == 202
    facts = await facts_of(broker.kafka, document_id)
    assert [fact.type for fact in facts] == ["CancelRequested"] * 2
    assert facts[0].event_id == facts[1].event_id


async def test_a_deleted_document_is_gone_and_its_bytes_may_come_again(
    http: httpx.AsyncClient, hand: Hand, broker: Infrastructure
) -> None:
    data, key = new_pdf(), {"Idempotency-Key": uuid.uuid4().hex}
    first = (await http.post("/v1/documents", content=data, headers=key)).json()["document_id"]
    await hand.put(first, 1)
    assert (await http.delete(f"/v1/documents/{first}")).status_code == 202
    await hand.delete(first, 2)
    assert (await http.get(f"/v1/documents/{first}")).status_code == 404
    assert (await http.delete(f"/v1/documents/{first}")).status_code == 404
    assert (await facts_of(broker.kafka, first))[-1].type == "DocumentDeleted"
    again = await http.post("/v1/documents", content=data, headers=key)
    assert again.status_code == 202
    assert again.json()["document_id"] != first


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/tokens"])
async def test_a_body_that_is_no_upload_is_held_to_a_size(http: httpx.AsyncClient, path: str, declared: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 10_000

    body = b" " * 100_000 if declared else chunks()
    answer = await http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert answer.json()["code"] == "body_too_large"


async def test_a_name_that_is_none_is_a_foreign_one(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/documents", headers={"Host": "["})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")
