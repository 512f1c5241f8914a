from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the first test to need the model fills."""
    return tmp_path_factory.mktemp("model-cache")
