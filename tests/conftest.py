"""Puts this folder on the path: every tier imports `history`, `world` and `sources`; fixtures live with their tests.

Whichever process a fault's test ran in, the run ends with one table of the faults that were survived.
"""

import os
import random
from typing import Final

import pytest

FAULT: Final = "fault"  # the property of a test's report: number, what, outcome, seconds

os.environ.setdefault("PAGESTREAM_SEED", str(random.SystemRandom().randrange(1_000_000)))  # workers inherit it


def pytest_report_header() -> str:
    """The seed, before anything runs."""
    return f"PAGESTREAM_SEED={os.environ['PAGESTREAM_SEED']}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a fault: number, what, outcome, seconds."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    called = [report for report in reports if report.when == "call"]
    outcomes = [told for report in called for name, told in report.user_properties if name == FAULT]
    if outcomes:
        terminalreporter.section("faults")
    for number, what, outcome, seconds in sorted(outcomes):
        terminalreporter.line(f"fault {number} · {what} · {outcome} · {seconds:.1f} s")
