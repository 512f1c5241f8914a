"""Tenants: nothing of one reaches another."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from shared.storage.api_keys import Keys
from tests.integration.gateway_rights.keyed import CALLS, EVENTS, a_document, bearer, code_of, live_of
from tests.support.gateway import GatewayProcess, Hand
from tests.support.websocket import closing, hear, new_id, say

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_another_tenants_document_answers_every_call_like_an_unknown_one(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str, hand: Hand
) -> None:
    foreign, unknown = await a_document(hand, "default"), new_id()

    async def answer(document_id: str, method: str, path: str) -> tuple[Any, ...]:
        began = asyncio.get_running_loop().time()
        headers = {**bearer(key), **EVENTS}
        said = await http.request(method, f"/v1/documents/{document_id}{path}", headers=headers)
        waited = asyncio.get_running_loop().time() - began > 1.5
        return *code_of(said), said.json()["detail"], waited

    every = [answer(document_id, *call) for call in CALLS for document_id in (foreign, unknown)]
    assert set(await asyncio.gather(*every)) == {(404, "document.not_found", "There is no such document.", True)}
    token = await http.post("/v1/tokens", json={"document_id": foreign}, headers=bearer(key))
    assert code_of(token) == (404, "document.not_found")
    for document_id in (foreign, unknown):
        async with connect(live_of(gateway, document_id), additional_headers=bearer(key)) as live:
            assert await closing(live) == 4404


async def test_nothing_of_another_tenant_reaches_a_socket_a_stream_a_list_or_a_poll(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str, hand: Hand
) -> None:
    foreign, own = await a_document(hand, "default"), await a_document(hand, "acme")
    headers = bearer(key)
    async with (
        connect(gateway.live, additional_headers=headers) as live,
        http.stream("GET", "/v1/live?feed=documents", headers={**headers, **EVENTS}) as stream,
    ):
        await say(live, "subscribe", ref=1, feed="documents")
        shown = [row["document_id"] for row in (await hear(live))["documents"]]
        assert own in shown
        assert foreign not in shown
        await say(live, "subscribe", ref=2, document_id=foreign, have={"epoch": "g1", "version": 1})
        refused = await hear(live)
        assert (refused["ref"], refused["error"]["code"]) == (2, "document.not_found")
        poll = asyncio.create_task(http.get("/v1/documents?wait=20&since=old:1", headers=headers))
        await hand.publish(await hand.put(foreign, 2), tenant="default")
        await hand.publish(await hand.put(own, 2, tenant="acme"), tenant="acme")
        update = await hear(live)
        assert (update["op"], update["document_id"], update["version"]) == ("update", own, 2)
        seen = ""
        async for line in stream.aiter_lines():
            seen += line
            if '"version":2' in line:
                break
        assert foreign not in seen
        assert foreign not in (await poll).text
    assert foreign not in (await http.get("/v1/documents", headers=headers)).text


async def test_the_same_bytes_of_two_tenants_are_two_documents(
    http: httpx.AsyncClient, key: str, keys: Keys, folder: Path
) -> None:
    other = (await keys.add("globex")).secret
    data = b"%PDF-1.7 " + uuid.uuid4().bytes
    named = {"Idempotency-Key": "one"}
    ids = []
    for secret in (key, other):
        sent = await http.post("/v1/documents?filename=a.pdf", content=data, headers={**bearer(secret), **named})
        assert (sent.status_code, sent.json()["duplicate"]) == (202, False)
        ids.append(sent.json()["document_id"])
    for tenant, own, foreign in (("acme", *ids), ("globex", *reversed(ids))):
        stored = {path.name for path in (folder / "blobs" / tenant).iterdir()}
        assert own in stored
        assert foreign not in stored
