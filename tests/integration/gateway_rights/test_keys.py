"""Keys: what takes one, where it travels, how it is made and revoked."""

import asyncio
import contextlib
import os
import sys
import uuid

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from shared.storage.api_keys import Keys
from tests.integration.gateway_rights.keyed import CALLS, EVENTS, OTHER, a_document, a_token, bearer, code_of, live_of
from tests.support.gateway import GatewayProcess, Hand
from tests.support.infrastructure import REPOSITORY
from tests.support.websocket import closing, hear, say

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_everything_but_signs_of_life_and_the_page_takes_a_key(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str, hand: Hand
) -> None:
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/", "/web/page/app.js"):
        assert (await http.get(path)).status_code in (200, 503), path
    document_id = await a_document(hand, "acme")
    calls = [(method, f"/v1/documents/{document_id}{path}") for method, path in CALLS]
    tenantwide = [("GET", "/v1/documents"), ("POST", "/v1/documents"), ("GET", "/v1/system"), ("GET", "/v1/live")]
    for method, path in [*calls, *tenantwide, ("POST", "/v1/tokens"), ("DELETE", "/v1/tokens/x"), ("GET", "/v1/x")]:
        for headers in ({}, bearer("psk_" + "x" * 43), bearer(key[:-1]), {"Authorization": f"Basic {key}"}):
            answer = await http.request(method, path, headers=headers)
            assert code_of(answer) == (401, "sign_in"), path
            assert answer.headers["www-authenticate"] == "Bearer"
    assert (await http.get("/v1/documents", headers=bearer(key))).status_code == 200
    for headers in ({}, bearer("nonsense")):
        async with connect(gateway.live, additional_headers=headers) as live:
            assert await closing(live) == 4401


async def test_a_browser_signs_in_with_a_subprotocol_and_is_answered_ours(
    gateway: GatewayProcess, key: str, hand: Hand
) -> None:
    document_id = await a_document(hand, "acme")
    offered = [Subprotocol("pagestream.v1"), Subprotocol(f"bearer.{key}")]
    async with connect(live_of(gateway, document_id), subprotocols=offered) as live:
        assert live.subprotocol == "pagestream.v1"
        assert (await hear(live))["op"] == "snapshot"


async def test_a_key_never_travels_in_an_address(gateway: GatewayProcess, http: httpx.AsyncClient, key: str) -> None:
    assert code_of(await http.get("/v1/documents", params={"token": key})) == (401, "key_in_address")
    async with connect(f"{gateway.live}?token={key}") as live:
        assert await closing(live) == 4401


async def test_a_revoked_key_is_out_within_seconds_with_everything_it_had_open(
    gateway: GatewayProcess, http: httpx.AsyncClient, keys: Keys, key: str, hand: Hand
) -> None:
    document_id = await a_document(hand, "acme")
    issued = await keys.add("acme")
    token = await a_token(http, document_id, issued.secret)
    live = await connect(live_of(gateway, document_id), additional_headers=bearer(issued.secret))
    held = await connect(live_of(gateway, document_id, f"?token={token['token']}"))
    stays = await connect(live_of(gateway, document_id), additional_headers=bearer(key))
    for one in (live, held, stays):
        await hear(one)
    poll = asyncio.create_task(
        http.get(f"/v1/documents/{document_id}?wait=20&since=g1:1", headers=bearer(issued.secret))
    )
    listening = asyncio.create_task(
        http.get(f"/v1/documents/{document_id}/live", headers={**bearer(issued.secret), **EVENTS})
    )
    await asyncio.sleep(1.1)  # until the answer of the poll counts as one that took long
    await keys.revoke(issued.id)
    assert [await closing(live, 3), await closing(held, 3)] == [4401, 4401]
    assert "snapshot" in (await listening).text  # and the stream has ended
    await hand.publish(await hand.put(document_id, 2, tenant="acme"), tenant="acme")
    assert code_of(await poll) == (401, "sign_in")
    assert (await hear(stays))["version"] == 2
    await stays.close()
    for secret in (issued.secret, token["token"]):
        assert code_of(await http.get(f"/v1/documents/{document_id}", headers=bearer(secret))) == (401, "sign_in")


async def pagestream(environment: dict[str, str], *arguments: str) -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error of the command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *arguments, cwd=REPOSITORY, env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, out.decode().strip(), err.decode()


async def test_the_command_makes_a_key_shows_it_once_and_revokes_it(
    gateway: GatewayProcess, environment: dict[str, str], http: httpx.AsyncClient
) -> None:
    code, key, said = await pagestream(environment, "keys", "add", "--tenant", "initech", "--name", "printer")
    assert (code, key[:4]) == (0, "psk_")
    code, listed, _ = await pagestream({**environment, "PAGESTREAM_URL": gateway.url, "PAGESTREAM_KEY": key}, "list")
    assert code == 0, listed
    code, refused, _ = await pagestream({**environment, "PAGESTREAM_URL": gateway.url}, "list")
    assert code == 2, refused
    _, table, _ = await pagestream(environment, "keys", "list")
    (row,) = [line.split() for line in table.splitlines() if "printer" in line]
    assert row[:3] == [said.split()[1], "initech", "printer"]
    assert key not in table
    assert (await pagestream(environment, "keys", "revoke", row[0]))[0] == 0
    async with asyncio.timeout(3):
        while (await http.get("/v1/documents", headers=bearer(key))).status_code != 401:
            await asyncio.sleep(0.05)
    assert (await pagestream(environment, "keys", "revoke", row[0]))[0] == 2
    assert (await pagestream(environment, "keys", "add", "--tenant", "Not/A/Name"))[0] == 2


async def test_what_opens_a_door_is_in_no_log(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str, hand: Hand
) -> None:
    document_id = await a_document(hand, "acme")
    token = (await a_token(http, document_id, key))["token"]
    await http.get(f"/v1/documents/{document_id}", params={"token": token})
    await http.get("/v1/elsewhere", params={"token": token})
    await http.post("/v1/documents?filename=a.pdf", content=b"%PDF-1.7 " + uuid.uuid4().bytes, headers=bearer(key))
    for address in (f"?token={token}", f"?token={key}"):
        async with connect(live_of(gateway, document_id, address)) as live:
            with contextlib.suppress(ConnectionClosed):
                await hear(live)
    with pytest.raises(InvalidStatus):
        await connect(f"{gateway.live}/elsewhere?token={token}", additional_headers=bearer(key))
    log = gateway.log.read_text()
    assert token not in log
    assert key not in log
    for rows, secret in (("keys", key), ("tokens", token)):
        stored = [str(row) async for row in hand.mongo.control[rows].find()]
        assert stored
        assert secret not in "".join(stored)


async def preflight(http: httpx.AsyncClient, origin: str) -> httpx.Response:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    return await http.options("/v1/documents", headers={"Origin": origin, **asked})


async def test_a_listed_page_may_call_with_its_key_and_a_foreign_one_may_not(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str
) -> None:
    allowed = await preflight(http, OTHER)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == OTHER
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    for path, headers in (("/v1/documents", bearer(key)), ("/v1/documents", {}), ("/web/document-progress.js", {})):
        answer = await http.get(path, headers={"Origin": OTHER, **headers})
        assert answer.headers["access-control-allow-origin"] == OTHER
    async with connect(gateway.live, origin=Origin(OTHER), additional_headers=bearer(key)) as live:
        await say(live, "unsubscribe", ref=1, document_id="x")
        assert (await hear(live))["op"] == "unsubscribed"
    for foreign in ("https://evil.example", f"{OTHER}.evil", "null"):
        assert code_of(await preflight(http, foreign)) == (403, "foreign_origin")
        for headers in (bearer(key), {**bearer(key), **EVENTS}):
            refused = await http.get("/v1/live", headers={"Origin": foreign, **headers})
            assert code_of(refused) == (403, "foreign_origin")
            assert "access-control-allow-origin" not in refused.headers
        with pytest.raises(InvalidStatus) as shut:
            await connect(gateway.live, origin=Origin(foreign), additional_headers=bearer(key))
        assert shut.value.response.status_code == 403
