"""One child process: its own session, its log file, and an end that leaves nothing behind."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_LIBC: Final = ctypes.CDLL(None)  # loaded here: between fork and exec it would be too late

LOG_LIMIT: Final = 8 * 2**20  # bytes; a longer log is set aside when its program starts again
_TAIL_LINES: Final = 15
_TAIL_BYTES: Final = 16 * 1024


@dataclass(frozen=True)
class Program:
    """What to run. `env` is added to our own; `ready`, if given, returns once the program answers.

    `ready` is cancelled when the program dies; it has no deadline of its own. `alive`, if given, tells once the program
    is ready whether it answers; one that does not, several times in a row, is killed. `provider` is for people.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], Awaitable[None]] | None = None
    alive: Callable[[], Awaitable[bool]] | None = None
    provider: str = "this project"


class Log:
    """The log file of one life of a program; earlier lives stand above it."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.log"
        if self.path.exists() and self.path.stat().st_size > LOG_LIMIT:
            self.path.replace(self.path.with_suffix(".log.1"))
        self._start = self.path.stat().st_size if self.path.exists() else 0

    def tail(self) -> tuple[str, ...]:
        """The last lines of this life."""
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start, end - _TAIL_BYTES))
            return tuple(file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])


class Process:
    """A running program. `stop` or `kill` it, or `wait` for it; then call `sweep` for what it left of its group."""

    def __init__(self, inner: asyncio.subprocess.Process) -> None:
        self._inner = inner
        self.pid = inner.pid

    @classmethod
    async def spawn(cls, program: Program, log: Log) -> "Process":
        """Start it with both outputs going to `log`. Raises OSError if it cannot be run."""
        with log.path.open("ab") as output:
            inner = await asyncio.create_subprocess_exec(
                *program.argv,
                env=os.environ | program.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and the group can be killed as one
                preexec_fn=die_with_parent(),
            )
        return cls(inner)

    async def wait(self) -> int:
        """Its exit code, minus the signal's number if a signal ended it."""
        return await self._inner.wait()

    async def stop(self, grace: float) -> bool:
        """SIGTERM to the program, which ends its own children; after `grace` seconds SIGKILL to all. True if killed."""
        # Not `send_signal`: it polls, and so may take the exit code away from asyncio, which then reports 255.
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), grace)
        except TimeoutError:
            self.sweep()
            await self.wait()
            return True
        return False

    def sweep(self) -> None:
        """SIGKILL to whatever is left of its group."""
        with suppress(ProcessLookupError):  # nothing is left
            os.killpg(self.pid, signal.SIGKILL)


def die_with_parent() -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel kills the child when we die, also by kill -9. Linux only, elsewhere None.

    It covers the child, not its children: who starts some does the same for them. The kernel takes "parent" to be the
    thread that forked, so children are started from the thread that lives as long as the process: the event loop's.
    """
    if sys.platform != "linux":
        return None
    parent = os.getpid()

    def arrange() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # we died before the call above

    return arrange
