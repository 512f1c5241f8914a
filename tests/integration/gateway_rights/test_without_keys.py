"""Who may call while there are no keys, and what the first key ends."""

import asyncio
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from shared.storage.api_keys import Keys
from tests.integration.gateway_rights.keyed import a_document, a_token, bearer, code_of, live_of, settings_of
from tests.support.gateway import GatewayProcess, hand_of
from tests.support.infrastructure import Infrastructure
from tests.support.websocket import closing, hear

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def until_keyed(http: httpx.AsyncClient) -> None:
    """Return once the gateway knows that there are keys."""
    async with asyncio.timeout(5):
        while (await http.get("/v1/documents")).status_code != 401:
            await asyncio.sleep(0.05)


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
