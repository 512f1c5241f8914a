"""A gateway process on the real broker and database, with a store of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from infrastructure import PARTITIONS, Infrastructure

from shared import topics
from tests.integration.gateway_infra import (
    GatewayProcess,
    Hand,
    environment_of,
    hand_of,
    serving,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(infrastructure: Infrastructure) -> Infrastructure:
    await topics.provision(infrastructure.kafka, partitions=PARTITIONS)
    return infrastructure


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def environment(broker: Infrastructure, folder: Path) -> dict[str, str]:
    return {**environment_of(broker, folder), "PAGESTREAM_MAX_UPLOAD": str(64 * 1024 * 1024)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hand(environment: dict[str, str]) -> AsyncIterator[Hand]:
    async with hand_of(environment) as hand:
        yield hand


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(environment: dict[str, str], folder: Path, hand: Hand) -> AsyncIterator[GatewayProcess]:
    async with serving(environment, folder / "gateway.log") as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: GatewayProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:
        yield client
