"""The cores of this machine, one pool for all stages: a child holds one while it computes.

A core is a lock file, so the kernel frees it however its holder dies. Those who wait stand in one line, the lock
`turn`, which the kernel grants in order: no stage starves another, and only the first in line looks for a free core.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LOOK_SECONDS: Final = 0.005  # of the first in line, since no call waits for one of several locks


class Core:
    """A process's hold on one of `count` cores. `folder` is the same for all who share them."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count
        self._held: int | None = None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Hold a core during the body; waits for it, for ever if need be."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let others have the core during the body, which waits for something else; nothing where none is held."""
        held = self._held is not None
        self._give_back()
        try:
            yield
        finally:
            if held:
                self._take()

    def _take(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        turn = self._open("turn")
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            while (held := self._free()) is None:
                time.sleep(_LOOK_SECONDS)
            self._held = held
        finally:
            os.close(turn)

    def _give_back(self) -> None:
        if self._held is not None:
            os.close(self._held)
        self._held = None

    def _free(self) -> int | None:
        for number in range(self._count):
            core = self._open(str(number))
            try:
                fcntl.flock(core, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(core)
            else:
                return core
        return None

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT, 0o600)
