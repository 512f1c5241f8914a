"""A gateway that asks for a key, and one beside it that gives little, on the real broker and database."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.storage.api_keys import Keys
from tests.integration.gateway_rights.keyed import settings_of
from tests.support.gateway import GatewayProcess, Hand, serving
from tests.support.infrastructure import Infrastructure


@pytest.fixture(scope="module")
def environment(broker: Infrastructure, folder: Path) -> dict[str, str]:
    return settings_of(broker, folder)


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


LIMITS = {
    "PAGESTREAM_CONNECTIONS_EACH": "2",
    "PAGESTREAM_SUBSCRIPTIONS_EACH": "3",
    "PAGESTREAM_FRAMES_PER_SECOND_EACH": "10",
    "PAGESTREAM_UPLOADS_EACH": "2",
    "PAGESTREAM_UPLOAD_BYTES_EACH": "1000",
    "PAGESTREAM_QUOTAS": json.dumps(
        {
            "poor": {"documents": 1},
            "globex": {"bytes": 1500},
            "initech": {"bytes": 1500},
            "*": {"pages_a_day": 100},
        }
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(environment: dict[str, str], key: str, folder: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway that gives little, beside the other on the same data."""
    async with serving({**environment, **LIMITS}, folder / "strict.log") as process:
        yield process
