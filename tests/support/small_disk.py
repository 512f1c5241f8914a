"""A file system of a few megabytes that really runs full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

SIZE: Final = 16 * 1024 * 1024
_PAGE: Final = 4096


class SmallDisk:
    """`folder` is all of one small disk; a file beside what is tested takes its space."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, but: int = 0) -> None:
        """Leave `but` bytes of space, in whole pages, and not a byte more."""
        self.free()
        space = os.statvfs(self.folder)
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - but // _PAGE * _PAGE)

    def free(self) -> None:
        """Give all of it back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def mounted(folder: Path) -> Iterator[SmallDisk]:
    """A disk of SIZE bytes at `folder`, or a skipped test where this process may mount none."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk that runs full is a tmpfs, and only root may mount one")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
