from collections.abc import Iterator
from pathlib import Path

import pytest

from services.chunker import handlers


@pytest.fixture
def chunker(model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The handlers with settings of the test's own: set PAGESTREAM_CHUNKER_… on it before the first call."""
    monkeypatch.setenv("PAGESTREAM_CACHE", str(model_cache))
    handlers.settings.cache_clear()
    yield monkeypatch
    handlers.settings.cache_clear()
