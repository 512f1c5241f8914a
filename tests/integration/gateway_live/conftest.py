"""A gateway for each module, on the real broker and database, and a connection to it for each test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.gateway import GatewayProcess


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PAGESTREAM_SUBSCRIPTIONS_PER_SOCKET": "5"}


@pytest_asyncio.fixture(loop_scope="module")
async def live(gateway: GatewayProcess) -> AsyncIterator[ClientConnection]:
    async with connect(gateway.live, subprotocols=[Subprotocol("pagestream.v1")], compression=None) as live:
        yield live
