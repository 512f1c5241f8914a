"""The command `python -m services.progress.rebuild`, as far as it goes without a database."""

import subprocess
import sys


def test_an_unknown_mode_is_refused_with_the_modes_that_there_are() -> None:
    command = [sys.executable, "-m", "services.progress.rebuild", "nonsense"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    for mode in ("swap", "force", "dry-run", "rollback"):
        assert f"'{mode}'" in refused.stderr
