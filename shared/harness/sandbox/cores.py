"""The cores of this machine, one pool for all stages: a child holds one while it computes.

A core is a lock file, so the kernel frees it however its holder dies. Those who wait stand in line, one line for each
rank, the lock `turn`, which the kernel grants in order; only the first in each line looks for a free core. Where lines
compete, the higher rank goes first: what is nearly done is finished before more is begun. So that no rank starves
another, a line that has let higher ranks have YIELDS cores goes before them.

There is one core beyond the number, for a tenant that holds none while others hold them all: its first page shares the
processors with theirs instead of waiting until one of theirs is done, which cannot be interrupted.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from shared.runtime import file_lock

_LOOK_SECONDS: Final = 0.005  # of the first in line, since no call waits for one of several locks
RANKS: Final = 8  # lines; a longer pipeline shares the last
YIELDS: Final = 3  # cores that the first of a line leaves to higher ranks before it takes one
_BEYOND: Final = "beyond"  # the name of the core beyond the number


class Core:
    """A process's hold on one of `count` cores, for `tenant`.

    `folder` is the same for all who share them; higher ranks go first.
    """

    def __init__(self, folder: Path, count: int, tenant: str, rank: int = 0) -> None:
        self._folder = folder
        self._count = count
        self._tenant = tenant
        self._rank = min(rank, RANKS - 1)
        self._held: int | None = None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Hold a core during the body; waits for it without a deadline."""
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
        self._held = self._beyond()
        if self._held is not None:
            return
        turn = self._open(f"turn{self._rank}")
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            self._write(f"first{self._rank}", self._read("given"))
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
        """A free core, unless it is another line's turn."""
        with self._choosing():
            if self._lets_others_go_first():
                return None
            for number in range(self._count):
                if (core := self._locked(str(number))) is not None:
                    self._mark(core)
                    self._write("given", self._read("given") + 1)
                    return core
            return None

    def _beyond(self) -> int | None:
        """The core beyond the number, where other tenants hold all others."""
        with self._choosing():
            if not all(self._is_anothers(number) for number in range(self._count)):
                return None
            return self._locked(_BEYOND)

    @contextmanager
    def _choosing(self) -> Iterator[None]:
        """One at a time, for as long as it takes to look."""
        choosing = self._open("choosing")
        try:
            fcntl.flock(choosing, fcntl.LOCK_EX)
            yield
        finally:
            os.close(choosing)

    def _mark(self, core: int) -> None:
        """Write into a core's file who has it; the file keeps it until another has it."""
        with suppress(OSError):  # a full disk: then its holder may be taken for another
            os.ftruncate(core, 0)
            os.pwrite(core, self._tenant.encode(), 0)

    def _is_anothers(self, number: int) -> bool:
        if (core := self._locked(str(number))) is not None:
            os.close(core)
            return False
        return (self._folder / str(number)).read_bytes() != self._tenant.encode()

    def _lets_others_go_first(self) -> bool:
        if any(self._is_due(rank) and self._has_line(rank) for rank in range(self._rank)):
            return True
        return not self._is_due(self._rank) and any(map(self._has_line, range(self._rank + 1, RANKS)))

    def _is_due(self, rank: int) -> bool:
        """Whether the first of that line has let others go first for long enough."""
        yielded = self._read("given") - self._read(f"first{rank}")
        return not 0 <= yielded < YIELDS  # negative where the folder was emptied

    def _read(self, name: str) -> int:
        """A number that all share: `given`, the cores given so far, and `first…`, that when the first became it."""
        try:
            return int(self._folder.joinpath(name).read_text())
        except (OSError, ValueError):
            return 0

    def _write(self, name: str, number: int) -> None:
        with suppress(OSError):  # a full disk: then ranks count for nothing
            self._folder.joinpath(name).write_text(str(number))

    def _has_line(self, rank: int) -> bool:
        """Whether a child of that rank waits."""
        if not (self._folder / f"turn{rank}").exists():
            return False
        if (turn := self._locked(f"turn{rank}")) is None:
            return True
        os.close(turn)
        return False

    def _locked(self, name: str) -> int | None:
        """The lock of this name, None while another process holds it."""
        return file_lock.taken(self._folder / name)

    def _open(self, name: str) -> int:
        return file_lock.opened(self._folder / name)
