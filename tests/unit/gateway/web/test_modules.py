"""The page's own tests, which run in Node where there is one."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[4]


@pytest.mark.skipif(not shutil.which("node"), reason="no Node on PATH; on Debian: apt install nodejs")
def test_the_modules_of_the_page() -> None:
    ran = subprocess.run(["node", "--test", "tests/web/"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
