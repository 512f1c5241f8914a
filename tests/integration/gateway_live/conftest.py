"""A gateway for each test, on the real broker and database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.integration.gateway_infra import GatewayProcess, Hand, hand_of, serving


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PAGESTREAM_SUBSCRIPTIONS_PER_SOCKET": "5"}


@pytest_asyncio.fixture(loop_scope="module")
async def hand(environment: dict[str, str]) -> AsyncIterator[Hand]:
    async with hand_of(environment) as hand:
        yield hand


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(environment: dict[str, str], hand: Hand, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    async with serving(environment, tmp_path / "gateway.log") as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def live(gateway: GatewayProcess) -> AsyncIterator[ClientConnection]:
    async with connect(gateway.live, subprotocols=[Subprotocol("pagestream.v1")], compression=None) as live:
        yield live
