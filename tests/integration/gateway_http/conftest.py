"""A gateway process on the real broker and database, with a store of its own."""

import pytest


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PAGESTREAM_MAX_UPLOAD": str(64 * 1024 * 1024)}
