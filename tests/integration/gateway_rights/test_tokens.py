"""Tokens: what each opens, and when it ends."""

from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from shared.storage.api_keys import Keys
from tests.integration.gateway_rights.keyed import EVENTS, a_document, a_token, bearer, code_of, live_of
from tests.support.gateway import GatewayProcess, Hand
from tests.support.websocket import closing, hear, new_id, say

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_token_to_read_shows_its_document_and_nothing_else(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str, hand: Hand
) -> None:
    own, beside = await a_document(hand, "acme"), await a_document(hand, "acme")
    made = await a_token(http, own, key, right="read", ttl=60)
    assert set(made) == {"token", "expires_at", "id"}
    token = made["token"]
    assert (await http.get(f"/v1/documents/{own}", params={"token": token})).json()["document_id"] == own
    async with http.stream("GET", f"/v1/documents/{own}/live", params={"token": token}, headers=EVENTS) as stream:
        assert stream.status_code == 200
    forbidden = [("GET", f"/v1/documents/{beside}"), ("GET", f"/v1/documents/{new_id()}"), ("GET", "/v1/documents")]
    forbidden += [("POST", f"/v1/documents/{own}/{verb}") for verb in ("retry", "cancel")]
    forbidden += [("DELETE", f"/v1/documents/{own}"), ("GET", "/v1/live"), ("GET", "/v1/system")]
    forbidden += [("POST", "/v1/documents"), ("POST", "/v1/tokens"), ("DELETE", f"/v1/tokens/{made['id']}")]
    forbidden += [("GET", "/v1/tokens"), ("GET", f"/v1/tokens?document_id={own}")]
    for method, path in forbidden:
        wish = {"document_id": own} if path == "/v1/tokens" else None
        answer = await http.request(method, path, headers={**bearer(token), **EVENTS}, json=wish)
        assert code_of(answer) == (403, "not_allowed"), path
    async with connect(live_of(gateway, beside, f"?token={token}")) as live:
        assert await closing(live) == 4403
    async with connect(
        gateway.live, subprotocols=[Subprotocol("pagestream.v1"), Subprotocol(f"bearer.{token}")]
    ) as live:
        await say(live, "subscribe", ref=1, document_id=own)
        assert (await hear(live))["op"] == "snapshot"
        for ref, about in enumerate(({"document_id": beside}, {"feed": "documents"}, {"document_id": new_id()}), 2):
            await say(live, "subscribe", ref=ref, **about)
            refused = await hear(live)
            assert (refused["op"], refused["ref"], refused["error"]["code"]) == ("error", ref, "not_allowed")
        await hand.publish(await hand.put(own, 2, tenant="acme"), tenant="acme")
        assert (await hear(live))["version"] == 2  # a refusal ends no other subscription


async def test_a_token_to_control_also_cancels_and_retries_but_does_not_erase(
    http: httpx.AsyncClient, key: str, hand: Hand
) -> None:
    document_id = await a_document(hand, "acme")
    token = (await a_token(http, document_id, key, right="control"))["token"]
    here = f"/v1/documents/{document_id}"
    assert (await http.get(here, headers=bearer(token))).status_code == 200
    assert (await http.post(f"{here}/cancel", headers=bearer(token))).status_code == 202
    assert code_of(await http.post(f"{here}/retry", headers=bearer(token))) == (409, "wrong_state")
    assert code_of(await http.delete(here, headers=bearer(token))) == (403, "not_allowed")


async def test_a_token_on_a_batch_opens_the_documents_in_it(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str, hand: Hand
) -> None:
    member, beside = new_id(), new_id()
    await hand.put(member, 1, tenant="acme", batch="june")
    await hand.put(beside, 1, tenant="acme", batch="july")
    made = await http.post("/v1/tokens", json={"batch": "june", "right": "control"}, headers=bearer(key))
    token = made.json()["token"]
    assert (await http.get(f"/v1/documents/{member}", headers=bearer(token))).status_code == 200
    assert (await http.post(f"/v1/documents/{member}/cancel", headers=bearer(token))).status_code == 202
    for path in ("", "/text", "/live"):
        refused = await http.get(f"/v1/documents/{beside}{path}", headers={**bearer(token), **EVENTS})
        assert code_of(refused) == (403, "not_allowed")
    assert code_of(await http.post(f"/v1/documents/{beside}/cancel", headers=bearer(token))) == (403, "not_allowed")
    async with connect(gateway.live, additional_headers=bearer(token)) as live:
        for ref, document_id in enumerate((beside, member)):
            await say(live, "subscribe", ref=ref, document_id=document_id)
        answers = {(frame["ref"], frame["op"]) for frame in (await hear(live), await hear(live))}
        assert answers == {(0, "error"), (1, "snapshot")}
    async with connect(live_of(gateway, beside, f"?token={token}")) as live:
        assert await closing(live) == 4403


async def test_a_token_ends_when_it_expires_or_is_revoked_also_while_it_is_in_use(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str, keys: Keys, hand: Hand
) -> None:
    document_id = await a_document(hand, "acme")
    short, revoked = await a_token(http, document_id, key, ttl=2), await a_token(http, document_id, key)
    watching = [await connect(live_of(gateway, document_id, f"?token={one['token']}")) for one in (short, revoked)]
    for live in watching:
        await hear(live)
    other = (await keys.add("globex")).secret
    assert code_of(await http.delete(f"/v1/tokens/{revoked['id']}", headers=bearer(other))) == (404, "token.not_found")
    assert (await http.delete(f"/v1/tokens/{revoked['id']}", headers=bearer(key))).status_code == 204
    assert code_of(await http.delete(f"/v1/tokens/{revoked['id']}", headers=bearer(key))) == (404, "token.not_found")
    assert [await closing(live, within=6) for live in watching] == [4401, 4401]
    for one in (short, revoked):
        assert code_of(await http.get(f"/v1/documents/{document_id}?token={one['token']}")) == (401, "sign_in")


async def test_good_tokens_are_listed_without_what_opens_until_they_are_revoked(
    http: httpx.AsyncClient, key: str, keys: Keys, hand: Hand
) -> None:
    document_id, beside = await a_document(hand, "acme"), await a_document(hand, "acme")
    later = await a_token(http, document_id, key, right="control", ttl=7200)
    sooner = await a_token(http, document_id, key, ttl=60)
    await a_token(http, beside, key)
    asked = {"document_id": document_id, "limit": 1}
    first = (await http.get("/v1/tokens", params=asked, headers=bearer(key))).json()
    rest = (await http.get("/v1/tokens", params={**asked, "cursor": first["next_cursor"]}, headers=bearer(key))).json()
    assert rest["next_cursor"] is None
    listed = first["tokens"] + rest["tokens"]
    shared = {"document_id": document_id, "batch": None}
    assert [{**one, "expires_at": None} for one in listed] == [
        {"id": sooner["id"], "right": "read", "expires_at": None, **shared},
        {"id": later["id"], "right": "control", "expires_at": None, **shared},
    ]
    assert [one["expires_at"] for one in listed] == sorted(one["expires_at"] for one in listed)
    other = (await keys.add("globex")).secret
    assert (await http.get("/v1/tokens", params=asked, headers=bearer(other))).json()["tokens"] == []
    await http.delete(f"/v1/tokens/{sooner['id']}", headers=bearer(key))
    left = (await http.get("/v1/tokens", params=asked, headers=bearer(key))).json()
    assert [one["id"] for one in left["tokens"]] == [later["id"]]


async def test_whoever_asks_is_told_what_they_may_do(http: httpx.AsyncClient, key: str, hand: Hand) -> None:
    document_id = await a_document(hand, "acme")
    token = (await a_token(http, document_id, key, right="control"))["token"]
    told = (await http.get("/v1/tokens/current", headers=bearer(token))).json()
    assert (told["right"], told["document_id"], told["batch"]) == ("control", document_id, None)
    assert told["expires_at"] is not None
    told = (await http.get("/v1/tokens/current", headers=bearer(key))).json()
    assert told == {"right": "all", "document_id": None, "batch": None, "expires_at": None}
    assert code_of(await http.get("/v1/tokens/current")) == (401, "sign_in")


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"ttl": 60},
        {"document_id": "x", "right": "all"},
        {"document_id": "x", "ttl": 0},
        {"document_id": "x", "batch": "y"},
        [],
    ],
)
async def test_a_wrong_wish_for_a_token_is_named(http: httpx.AsyncClient, key: str, wish: Any) -> None:
    assert code_of(await http.post("/v1/tokens", json=wish, headers=bearer(key))) == (400, "bad_request")
