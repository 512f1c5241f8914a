"""Limits of one key and one address, and quotas of a tenant."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from shared.storage.api_keys import Keys
from tests.integration.gateway_rights.keyed import EVENTS, a_document, bearer, code_of
from tests.support.gateway import GatewayProcess, Hand
from tests.support.uploads import held
from tests.support.websocket import closing, hear, new_id, say

pytestmark = pytest.mark.asyncio(loop_scope="module")

TUS = {"Tus-Resumable": "1.0.0"}


async def test_live_connections_are_counted_over_sockets_and_streams(strict: GatewayProcess, key: str) -> None:
    headers = bearer(key)
    async with (
        httpx.AsyncClient(base_url=strict.url, timeout=30) as http,
        connect(strict.live, additional_headers=headers),
        http.stream("GET", "/v1/live", headers={**headers, **EVENTS}) as stream,
    ):
        assert stream.status_code == 200
        async with connect(strict.live, additional_headers=headers) as third:
            assert await closing(third) == 4429
        refused = await http.get("/v1/live", headers={**headers, **EVENTS})
        assert code_of(refused) == (429, "too_many_connections")
        assert refused.headers["retry-after"] == "5"
        assert (await http.get("/v1/documents", headers=headers)).status_code == 200


async def test_subscriptions_are_counted_over_connections_and_a_refusal_ends_none(
    strict: GatewayProcess, key: str, hand: Hand
) -> None:
    ids = [await a_document(hand, "acme") for _ in range(4)]
    headers = bearer(key)
    async with connect(strict.live, additional_headers=headers) as one:
        async with connect(strict.live, additional_headers=headers) as two:
            for live, document_id in ((one, ids[0]), (one, ids[1]), (two, ids[2])):
                await say(live, "subscribe", document_id=document_id)
                assert (await hear(live))["op"] == "snapshot"
            await say(two, "subscribe", document_id=ids[3])
            assert (await hear(two))["error"]["code"] == "too_many_subscriptions_in_all"
            await hand.publish(await hand.put(ids[2], 2, tenant="acme"), tenant="acme")
            assert (await hear(two))["version"] == 2
        async with asyncio.timeout(5):
            answer: dict[str, Any] = {"op": "error"}
            while answer["op"] == "error":  # until the gateway has seen that the other is gone
                await say(one, "subscribe", document_id=ids[3])
                answer = await hear(one)
                await asyncio.sleep(0.05)


async def test_a_flood_over_several_connections_is_closed_with_4429(strict: GatewayProcess, keys: Keys) -> None:
    headers = bearer((await keys.add("flooding")).secret)
    async with (
        connect(strict.live, additional_headers=headers) as one,
        connect(strict.live, additional_headers=headers) as two,
    ):
        with contextlib.suppress(ConnectionClosed):
            for _ in range(60):  # of 100 that one holder may send at once
                await say(one, "unsubscribe", document_id="x")
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                await say(two, "unsubscribe", document_id="x")
        assert await closing(two) == 4429
        await say(one, "unsubscribe", document_id="x")
        assert await closing(one) == 4429


async def test_bytes_in_flight_are_counted_declared_or_not(strict: GatewayProcess, key: str) -> None:
    async def undeclared() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"%PDF-1.7 " + b"x" * 500

    async with httpx.AsyncClient(base_url=strict.url, timeout=30, headers=bearer(key)) as http:
        for body in (b"%PDF-1.7 " + b"x" * 1_000, undeclared()):
            refused = await http.post("/v1/documents?filename=a.pdf", content=body)
            assert code_of(refused) == (429, "too_many_upload_bytes")
        small = await http.post("/v1/documents?filename=a.pdf", content=b"%PDF-1.7 " + uuid.uuid4().bytes)
        assert small.status_code == 202


async def test_a_tenant_over_its_quota_is_told_what_is_left_and_others_are_not_held_up(
    strict: GatewayProcess, keys: Keys, key: str, hand: Hand
) -> None:
    poor, globex = (await keys.add("poor")).secret, (await keys.add("globex")).secret

    async def sent(http: httpx.AsyncClient, secret: str) -> httpx.Response:
        body = b"%PDF-1.7 " + uuid.uuid4().bytes
        return await http.post("/v1/documents?filename=a.pdf", content=body, headers=bearer(secret))

    async with httpx.AsyncClient(base_url=strict.url, timeout=30) as http:
        assert (await sent(http, poor)).status_code == 202
        refused = await sent(http, poor)  # though no projection shows the first one yet
        assert code_of(refused) == (429, "quota_exceeded")
        said = refused.json()
        assert (said["quota"], said["limit"], said["used"], said["left"]) == ("documents", 1, 1, 0)
        await hand.put(new_id(), 1, tenant="globex", bytes=1_480, status="completed")
        refused = await sent(http, globex)
        assert (code_of(refused), refused.json()["left"]) == ((429, "quota_exceeded"), 20)
        assert (await sent(http, key)).status_code == 202
        await hand.put(new_id(), 1, tenant="acme", pages={"total": 100, "done": 0, "failed": []})
        refused = await sent(http, key)
        assert refused.json()["quota"] == "pages_a_day"
        assert 0 < int(refused.headers["retry-after"]) <= 86_400


async def test_uploads_under_way_are_counted_plain_or_resumable(strict: GatewayProcess, keys: Keys) -> None:
    headers = bearer((await keys.add("uploading")).secret)
    async with httpx.AsyncClient(base_url=strict.url, timeout=30, headers=headers) as http:
        url = await begun(http, 500)
        async with held(strict.url, headers) as one, held(strict.url, headers) as two:
            for refused in (await http.post("/v1/documents", content=b"x"), await part_of(http, url, b"%PDF-1.7 ")):
                assert code_of(refused) == (429, "too_many_uploads_at_once")
                assert refused.headers["retry-after"] == "5"
            assert [await one.go_on(), await two.go_on()] == [202, 202]
        assert (await part_of(http, url, b"%PDF-1.7 ")).headers["upload-offset"] == "9"


async def test_a_resumable_upload_is_held_to_bytes_in_flight_and_quota_and_keeps_what_it_has(
    strict: GatewayProcess, keys: Keys, hand: Hand
) -> None:
    rich, poor = [bearer((await keys.add(tenant)).secret) for tenant in ("rich", "initech")]
    async with httpx.AsyncClient(base_url=strict.url, timeout=30, headers=rich) as http:
        url = await begun(http, 5_000)
        assert (await part_of(http, url, b"%PDF-1.7 ")).status_code == 204
        assert code_of(await part_of(http, url, b"x" * 1_001, 9)) == (429, "too_many_upload_bytes")
        assert (await http.head(url, headers=TUS)).headers["upload-offset"] == "9"
        assert (await part_of(http, url, b"x" * 900, 9)).headers["upload-offset"] == "909"
    async with httpx.AsyncClient(base_url=strict.url, timeout=30, headers=poor) as http:
        refused = await http.post("/v1/uploads", headers={**TUS, "Upload-Length": "1501"})
        assert code_of(refused) == (429, "quota_exceeded")
        assert refused.headers["tus-resumable"] == "1.0.0"
        url = await begun(http, 900)
        two = await http.post("/v1/uploads", headers={**TUS, "Upload-Length": "601"})
        assert code_of(two) == (429, "quota_exceeded")  # together they would be more than there is room for
        await hand.put(new_id(), 1, tenant="initech", bytes=1_000, status="completed")
        assert (await part_of(http, url, b"%PDF-1.7 " + b"x" * 890)).status_code == 204
        assert code_of(await part_of(http, url, b"x", 899)) == (429, "quota_exceeded")  # it would be a document now
        assert (await http.delete(url, headers=TUS)).status_code in (204, 429)


async def begun(http: httpx.AsyncClient, length: int) -> str:
    """The address of a new resumable upload."""
    answer = await http.post("/v1/uploads", headers={**TUS, "Upload-Length": str(length)})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def part_of(http: httpx.AsyncClient, url: str, data: bytes, offset: int = 0) -> httpx.Response:
    headers = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
    return await http.patch(url, headers=headers, content=data)
