"""Two hundred worlds, always the same ones; `make simulate` runs as many others as there is time for."""

import subprocess
import sys

import pytest

from tests.support.infrastructure import REPOSITORY

SEEDS = 200
PARTS = 8  # tests, so that several processes share them


@pytest.mark.timeout(600)  # 6 s on an idle core
@pytest.mark.parametrize("part", range(PARTS))
def test_in_every_world_everything_holds(part: int) -> None:
    each = SEEDS // PARTS
    command = [
        sys.executable,
        "-m",
        "tests.simulation",
        "--jobs",
        "1",
        "--from",
        str(part * each),
        "--seeds",
        str(each),
    ]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_five_thousand_worlds_beyond() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--from", "1000000", "--seeds", "5000"]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]
