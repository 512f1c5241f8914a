"""What the fault tests share: one system for all that can be mended, and a table of what was survived."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.chaos_system import ChaosSystem, started
from tests.conftest import FAULT

SYSTEM: Final = pytest.StashKey[ChaosSystem]()  # that of this process, while it is there
SEED: Final = int(os.environ["PAGESTREAM_SEED"])

Fault = Callable[[int, str], AbstractContextManager[Callable[[], None]]]


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """`with fault(8, "mongod killed") as strikes:` and a line in the summary; `strikes()` starts the clock anew.

    The seconds are those from the fault until every document had ended and every invariant held.
    """

    @contextmanager
    def noted(number: int, what: str) -> Iterator[Callable[[], None]]:
        began, outcome = [time.monotonic()], "NOT SURVIVED"
        try:
            yield lambda: began.append(time.monotonic())
            outcome = "survived"
        finally:
            request.node.user_properties.append((FAULT, (number, what, outcome, time.monotonic() - began[-1])))

    return noted


@pytest.fixture(scope="session")
def seed() -> int:
    """What all random choices are drawn from; PAGESTREAM_SEED repeats a run."""
    return SEED


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, systems: ExitStack) -> ChaosSystem:
    """A system for every fault that can be mended. Whoever stops its services starts them again.

    It is kept for the next test, unless whole systems were ended in between: tests may be given to another process.
    """
    kept = request.session.stash
    if SYSTEM not in kept:
        kept[SYSTEM] = systems.enter_context(started(tmp_path_factory.mktemp("chaos")))
        systems.callback(lambda: kept.__delitem__(SYSTEM))
    return kept[SYSTEM]


@pytest.fixture
def ruin(tmp_path: Path) -> Iterator[ChaosSystem]:
    """A system for one fault that cannot be mended."""
    with started(tmp_path) as system:
        yield system
