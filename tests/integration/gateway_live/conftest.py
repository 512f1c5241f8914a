"""A gateway for each test, on the real broker and database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from infrastructure import PARTITIONS, Infrastructure
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from shared import topics
from tests.integration.gateway_infra import GatewayProcess, Hand, environment_of, hand_of, serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(infrastructure: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    await topics.provision(infrastructure.kafka, partitions=PARTITIONS)
    folder = tmp_path_factory.mktemp("gateway")
    return {**environment_of(infrastructure, folder), "PAGESTREAM_SUBSCRIPTIONS_PER_SOCKET": "5"}


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
