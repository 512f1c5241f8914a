"""Who may call, and what they see: keys, tenants, tokens, origins. Gateway processes on a real broker and database."""

import asyncio
import contextlib
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from infrastructure import PARTITIONS, Infrastructure
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from shared import topics
from shared.keys import Keys
from tests.integration.gateway_infra import REPOSITORY, GatewayProcess, Hand, environment_of, hand_of, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "https://desk.example"
READS = ("", "/pages", "/pages/1", "/text", "/chunks", "/extraction", "/file", "/timeline", "/live")
CALLS = [*(("GET", path) for path in READS), ("POST", "/retry"), ("POST", "/cancel"), ("DELETE", "")]
EVENTS = {"Accept": "text/event-stream"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(infrastructure: Infrastructure) -> Infrastructure:
    await topics.provision(infrastructure.kafka, partitions=PARTITIONS)
    return infrastructure


def settings_of(broker: Infrastructure, folder: Path) -> dict[str, str]:
    """As talkative as can be, so that what must stay out of logs is looked for in all there is."""
    chatty = {"PAGESTREAM_ORIGINS": json.dumps([OTHER]), "PAGESTREAM_LOG_LEVEL": "DEBUG"}
    return {**environment_of(broker, folder), **chatty}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def environment(broker: Infrastructure, folder: Path) -> dict[str, str]:
    return settings_of(broker, folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hand(environment: dict[str, str]) -> AsyncIterator[Hand]:
    async with hand_of(environment) as hand:
        yield hand


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(hand: Hand) -> Keys:
    keys = Keys(hand.mongo)
    await keys.prepare()
    return keys


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def key(keys: Keys) -> str:
    """A key of the tenant `acme`."""
    return (await keys.add("acme", "test")).secret


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(environment: dict[str, str], key: str, folder: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway that asks for a key."""
    async with serving(environment, folder / "gateway.log") as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: GatewayProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        yield http


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def new_id() -> str:
    return str(uuid.uuid4())


async def a_document(hand: Hand, tenant: str = "default") -> str:
    document_id = new_id()
    await hand.publish(await hand.put(document_id, 1, tenant=tenant), tenant=tenant)
    return document_id


async def a_token(http: httpx.AsyncClient, document_id: str, key: str | None = None, **wish: Any) -> dict[str, Any]:
    asked = {"document_id": document_id, **wish}
    made = await http.post("/v1/tokens", json=asked, headers=bearer(key) if key else {})
    assert made.status_code == 201, made.text
    token: dict[str, Any] = made.json()
    return token


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def live_of(gateway: GatewayProcess, document_id: str, query: str = "") -> str:
    return gateway.live.replace("/live", f"/documents/{document_id}/live{query}")


async def say(live: ClientConnection, op: str, **fields: Any) -> None:
    await live.send(json.dumps({"op": op, **fields}))


async def hear(live: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        frame: dict[str, Any] = json.loads(await live.recv())
        return frame


async def closing(live: ClientConnection, within: float = 10) -> int | None:
    """The close code, after whatever else comes before it."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(within):
            while True:
                await live.recv()
    return live.close_code


async def until_keyed(http: httpx.AsyncClient) -> None:
    """Return once the gateway knows that there are keys."""
    async with asyncio.timeout(5):
        while (await http.get("/v1/documents")).status_code != 401:
            await asyncio.sleep(0.05)


# ---- without keys


async def test_without_keys_this_machine_is_the_one_tenant_and_the_first_key_ends_that_for_good(
    broker: Infrastructure, tmp_path: Path
) -> None:
    environment = settings_of(broker, tmp_path)
    gateway = GatewayProcess(environment, tmp_path / "gateway.log")
    async with hand_of(environment) as hand, httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        await gateway.start()
        keys, document_id = Keys(hand.mongo), await a_document(hand)
        assert (await http.get(f"/v1/documents/{document_id}")).status_code == 200
        named = {"Host": "pagestream.example"}
        assert code_of(await http.get("/v1/documents", headers=named)) == (403, "foreign_host")
        assert code_of(await http.get("/v1/documents", headers=bearer("psk_wrong"))) == (401, "sign_in")
        token = (await a_token(http, document_id))["token"]
        async with connect(live_of(gateway, document_id)) as live, connect(live_of(gateway, document_id)) as other:
            await hear(live)
            key = await keys.add("default")
            assert [await closing(live, within=3), await closing(other, within=3)] == [4401, 4401]
        await until_keyed(http)
        assert (await http.get("/v1/documents", headers={**named, **bearer(key.secret)})).status_code == 200
        assert code_of(await http.get(f"/v1/documents/{document_id}?token={token}")) == (401, "sign_in")
        await keys.revoke(key.id)
        await gateway.stop()
        await gateway.start()
        assert code_of(await http.get("/v1/documents")) == (401, "sign_in")
        assert await gateway.stop() == 0


async def test_where_strangers_could_call_the_gateway_does_not_start_without_keys(
    broker: Infrastructure, tmp_path: Path
) -> None:
    environment = {**settings_of(broker, tmp_path), "PAGESTREAM_GATEWAY_HOST": "0.0.0.0"}
    started = GatewayProcess(environment, tmp_path / "outside.log")
    async with hand_of(environment) as hand:
        with pytest.raises(AssertionError, match="pagestream keys add"):
            await started.start()
        assert await started.stop() == 2
        await Keys(hand.mongo).add("default")
        await started.start()
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{started.url}/v1/documents")).status_code == 401
        assert await started.stop() == 0


# ---- with keys


async def test_everything_but_signs_of_life_and_the_page_takes_a_key(
    gateway: GatewayProcess, http: httpx.AsyncClient, key: str, hand: Hand
) -> None:
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/", "/web/app.js"):
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


# ---- tokens


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


# ---- origins


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


# ---- limits and quotas

LIMITS = {
    "PAGESTREAM_CONNECTIONS_EACH": "2",
    "PAGESTREAM_SUBSCRIPTIONS_EACH": "3",
    "PAGESTREAM_FRAMES_PER_SECOND_EACH": "10",
    "PAGESTREAM_UPLOADS_EACH": "2",
    "PAGESTREAM_UPLOAD_BYTES_EACH": "1000",
    "PAGESTREAM_QUOTAS": '{"poor": {"documents": 1}, "globex": {"bytes": 1500}, "*": {"pages_a_day": 100}}',
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(environment: dict[str, str], key: str, folder: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway that gives little, beside the other on the same data."""
    async with serving({**environment, **LIMITS}, folder / "strict.log") as process:
        yield process


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
