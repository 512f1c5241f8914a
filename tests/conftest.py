"""Puts this folder on the path: every tier imports `history` and `sources`; fixtures live with their tests.

Whichever process a fault's test ran in, the run ends with one table of the faults that were survived.
"""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support import infrastructure as provided
from tests.support import running_system
from tests.support.infrastructure import Infrastructure
from tests.support.running_system import RunningSystem

FAULT: Final = "fault"  # the property of a test's report: number, what, outcome, seconds
WHOLE: Final = {"systems", "tests/chaos"}  # groups whose tests need a whole system
OPEN: Final = pytest.StashKey[ExitStack]()  # the whole systems of this process

os.environ.setdefault("PAGESTREAM_SEED", str(random.SystemRandom().randrange(1_000_000)))  # workers inherit it


def pytest_report_header() -> str:
    """The seed, before anything runs."""
    return f"PAGESTREAM_SEED={os.environ['PAGESTREAM_SEED']}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Who gives the tests to the processes; None for the plugin's own ways."""
    return Groups(config, log) if config.getvalue("dist") == "loadscope" else None


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """What shares a system, a gateway or a broker runs in one process, one after another."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """The tests that a test runs with."""
    folder, _, file = nodeid.partition("::")[0].rpartition("/")
    if folder in ("tests/system", "tests/browser") or file == "test_corpus.py":
        return "systems"
    if folder == "tests/simulation":
        return nodeid  # worlds share nothing
    together = folder == "tests/chaos" or folder.startswith("tests/integration/gateway_")
    return folder if together else f"{folder}/{file}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole systems come first: they take the longest."""
    items.sort(key=lambda item: group_of(item.nodeid) not in WHOLE)


@pytest.hookimpl(trylast=True)  # after the fixtures of the test
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End whole systems with their last test: also one that nobody uses takes a third of a core."""
    if nextitem is None or group_of(nextitem.nodeid) not in WHOLE:
        item.session.stash.get(OPEN, ExitStack()).close()


@pytest.fixture(scope="session")
def systems(request: pytest.FixtureRequest) -> ExitStack:
    """Where whole systems are entered; it is left after the last test of one."""
    return request.session.stash.setdefault(OPEN, ExitStack())


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, systems: ExitStack) -> RunningSystem:
    """The whole system on a broker and a database of its own. Whoever stops its services starts them again."""
    system = systems.enter_context(running_system.running(tmp_path_factory.mktemp("system")))
    system.begin()
    return system


@pytest.fixture(scope="session")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """Kafka and MongoDB for all tests that bring what they need: topics, databases, documents with ids of their own."""
    with provided.started(tmp_path_factory.mktemp("infrastructure")) as infrastructure:
        yield infrastructure


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a fault: number, what, outcome, seconds."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    called = [report for report in reports if report.when == "call"]
    outcomes = [told for report in called for name, told in report.user_properties if name == FAULT]
    if outcomes:
        terminalreporter.section("faults")
    for number, what, outcome, seconds in sorted(outcomes):
        terminalreporter.line(f"fault {number} · {what} · {outcome} · {seconds:.1f} s")
