"""The Python client against a gateway process on a real broker and database."""

import asyncio
import uuid
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from pagestream import DOCUMENTS, PagestreamClient, Refused, State, Target
from shared.storage.api_keys import Keys
from tests.support.gateway import GatewayProcess, Hand, environment_of, serving
from tests.support.infrastructure import Infrastructure

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def environment(broker: Infrastructure, folder: Path) -> dict[str, str]:
    return environment_of(broker, folder)  # as many subscriptions on one socket as there may be


async def following(states: Any) -> State:
    """The next state."""
    async with asyncio.timeout(20):
        state: State = await anext(states)
        return state


def shown(state: State) -> tuple[str, int]:
    assert state.position
    return state.target.name, state.position.version


async def test_after_a_restart_of_the_gateway_what_was_missed_comes_and_nothing_twice(
    gateway: GatewayProcess, hand: Hand
) -> None:
    still, moving = str(uuid.uuid4()), str(uuid.uuid4())
    for document_id in (still, moving):
        await hand.change(document_id, 1)
    losses: list[str] = []
    client = PagestreamClient(gateway.url, on_lost=lambda reason, _: losses.append(reason))
    async with client, aclosing(client.subscribe(still, moving)) as states:
        assert {shown(await following(states)) for _ in range(2)} == {(still, 1), (moving, 1)}
        await gateway.stop()
        await hand.change(moving, 5)
        await gateway.start()
        assert shown(await following(states)) == (moving, 5)
        await hand.change(still, 2)
        assert shown(await following(states)) == (still, 2)
        assert client.connection == "websocket"
    assert losses[0] == "Pagestream restarts"


async def test_many_documents_a_batch_and_the_feed_share_one_socket(gateway: GatewayProcess, hand: Hand) -> None:
    batch = uuid.uuid4().hex
    ids = [str(uuid.uuid4()) for _ in range(100)]
    for document_id in ids:
        await hand.put(document_id, 1, batch=batch)
    async with PagestreamClient(gateway.url) as client, httpx.AsyncClient(base_url=gateway.url) as http:
        rows = client.subscribe(Target.batch(batch), DOCUMENTS)
        feeds = [await following(rows) for _ in range(2)]
        assert sorted(state.target.kind for state in feeds) == ["batch", "feed"]
        waiting = [asyncio.create_task(client.wait(document_id)) for document_id in ids]
        for document_id in ids:
            await hand.publish(await hand.put(document_id, 2, status="completed", percent=100.0, batch=batch))
        async with asyncio.timeout(30):
            assert {view["status"] for view in await asyncio.gather(*waiting)} == {"completed"}
            while not (state := await following(rows)).progress or state.progress["done"] < len(ids):
                pass
        assert (await http.get("/v1/system")).json()["connections"]["sockets"] == 1
        assert (state.progress["status"], state.progress["percent"]) == ("completed", 100.0)
        await rows.aclose()


async def test_a_capability_token_watches_its_document_and_is_refused_another(
    gateway: GatewayProcess, hand: Hand, environment: dict[str, str], tmp_path: Path
) -> None:
    keys = Keys(hand.mongo)
    await keys.prepare()
    key = (await keys.add("acme", "test")).secret
    mine, other = str(uuid.uuid4()), str(uuid.uuid4())
    for document_id in (mine, other):
        view = await hand.put(document_id, 1, tenant="acme", status="completed")
        await hand.publish(view, tenant="acme")
    async with serving(environment, tmp_path / "locked.log") as locked:
        async with httpx.AsyncClient(base_url=locked.url, headers={"Authorization": f"Bearer {key}"}) as http:
            made = await http.post("/v1/tokens", json={"document_id": mine, "right": "read"})
        async with PagestreamClient(locked.url, made.json()["token"]) as client, asyncio.timeout(20):
            assert (await client.wait(mine))["document_id"] == mine
            with pytest.raises(Refused) as refused:
                await client.wait(other)
            assert refused.value.code == "not_allowed"
            with pytest.raises(Refused):
                await client.cancel(mine)
        async with PagestreamClient(locked.url) as client, asyncio.timeout(20):
            with pytest.raises(Refused) as refused:
                await client.wait(mine)
            assert refused.value.code == "sign_in"
