"""Programs that came as Python packages: where they lie, and whether they run on this machine."""

import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path

from shared.errors import Rejected


def package_file(module: str, inside: str) -> Path | None:
    """The file `inside` an installed package, None where the package is not installed.

    The package is found, not imported. Made executable if the installer lost that bit.
    """
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # a parent package is missing
        return None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / inside
        if path.is_file():
            if not os.access(path, os.X_OK):
                path.chmod(path.stat().st_mode | 0o111)
            return path
    return None


def installed_files(distribution: str) -> list[Path]:
    """The files that a distribution installed, none where it is not there."""
    try:
        found = files(distribution)
    except PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in found or ()]


def check_runs(path: Path, what: str, env: Mapping[str, str] | None = None) -> str:
    """The first line of `path --version`, run with `env` added to ours. Raises Rejected `program_unusable` with the
    loader's words, for example when a system library is missing. Blocks for about 50 ms.
    """
    try:
        answer = subprocess.run(
            [path, "--version"],
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except OSError as error:
        raise Rejected("program_unusable", what=what, detail=str(error)) from error
    if answer.returncode:
        raise Rejected("program_unusable", what=what, detail=(answer.stderr or answer.stdout).strip())
    return answer.stdout.splitlines()[0]
