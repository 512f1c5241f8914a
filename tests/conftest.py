"""Puts this folder on the path: every tier imports `history`, `world` and `sources`; fixtures live with their tests.

Whichever process a fault's test ran in, the run ends with one table of the faults that were survived.
"""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest
import running_system
from running_system import RunningSystem

FAULT: Final = "fault"  # the property of a test's report: number, what, outcome, seconds
WHOLE: Final = {"system", "ruin"}  # fixtures that are a whole system
OPEN: Final = pytest.StashKey[ExitStack]()  # the whole systems of this process

os.environ.setdefault("PAGESTREAM_SEED", str(random.SystemRandom().randrange(1_000_000)))  # workers inherit it


def pytest_report_header() -> str:
    """The seed, before anything runs."""
    return f"PAGESTREAM_SEED={os.environ['PAGESTREAM_SEED']}"


@pytest.hookimpl(wrapper=True)  # the plugin that reads the groups comes before every other hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """What shares a system, a gateway or a broker runs in one process, one after another; the longest is first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: not _is_whole(item))
    yield


def _group(item: pytest.Item) -> str:
    if _is_whole(item):
        return "faults" if item.path.parent.name == "chaos" else "systems"
    return item.path.parent.name if item.path.parent.name.startswith("gateway_") else item.path.stem


def _is_whole(item: pytest.Item) -> bool:
    return not WHOLE.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(trylast=True)  # after the fixtures of the test
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End whole systems with their last test: also one that nobody uses takes a third of a core."""
    if nextitem is None or not _is_whole(nextitem):
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a fault: number, what, outcome, seconds."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    called = [report for report in reports if report.when == "call"]
    outcomes = [told for report in called for name, told in report.user_properties if name == FAULT]
    if outcomes:
        terminalreporter.section("faults")
    for number, what, outcome, seconds in sorted(outcomes):
        terminalreporter.line(f"fault {number} · {what} · {outcome} · {seconds:.1f} s")
