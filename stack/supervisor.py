"""Keeps programs running: starts them, starts again what dies, and stops them all."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from shared.errors import Transient
from stack.backoff import Backoff
from stack.events import Died, OnEvent, Ready, Starting, Stopped, Stopping
from stack.process import Log, Process, Program

GRACE: Final = 10.0  # seconds between SIGTERM and SIGKILL
PROBE_SECONDS: Final = 5.0  # between two looks whether a program answers
_SILENT: Final = 3  # looks in a row without an answer: it lives, and only a new life helps


class Supervisor:
    """Programs that live and die independently of each other, each with a log in `logs`."""

    def __init__(
        self,
        logs: Path,
        on_event: OnEvent,
        backoff: Backoff | None = None,
        grace: float = GRACE,
        probe_every: float = PROBE_SECONDS,
    ) -> None:
        self._logs = logs
        self._on_event = on_event
        self._backoff = backoff or Backoff()
        self._grace = grace
        self._probe_every = probe_every
        self._watches: dict[str, _Watch] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, program: Program) -> None:
        """Run it from now on, whatever happens to it."""
        if program.name in self._watches:
            raise ValueError(f"{program.name} is already watched")
        watch = _Watch(program, self._logs, self._on_event, self._backoff, self._grace, self._probe_every)
        self._watches[program.name] = watch
        self._tasks.append(asyncio.create_task(watch.run(), name=f"watch {program.name}"))

    async def ready(self, name: str, within: float) -> None:
        """Return once it answered for the first time.

        Raises Transient `did_not_start` if it died before, or took more than `within` seconds; it is tried on anyway.
        """
        try:
            died = await asyncio.wait_for(asyncio.shield(self._watches[name].outcome), within)
        except TimeoutError:
            raise Transient("did_not_start", what=name, detail=f"no answer within {within:g} seconds") from None
        if died:
            detail = "\n".join((f"it ended with code {died.code}", *died.tail))
            raise Transient("did_not_start", what=name, detail=detail)

    async def stop(self) -> None:
        """End all, the last one started first told; returns when none of them and of their groups is left."""
        for watch in reversed(self._watches.values()):
            watch.stopping.set()
        await asyncio.gather(*self._tasks)
        self._watches.clear()
        self._tasks.clear()


class _Watch:
    """One program over all its lives. `outcome` tells how the first one began: None when ready, else its death."""

    def __init__(
        self, program: Program, logs: Path, on_event: OnEvent, backoff: Backoff, grace: float, probe_every: float
    ) -> None:
        self.stopping = asyncio.Event()
        self.outcome: asyncio.Future[Died | None] = asyncio.get_running_loop().create_future()
        self._program = program
        self._logs = logs
        self._on_event = on_event
        self._backoff = backoff
        self._grace = grace
        self._probe_every = probe_every

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        wait: float | None = None
        while not self.stopping.is_set():
            born = clock()
            log = Log(self._logs, self._program.name)
            code, last_words = await self._live(log)
            if self.stopping.is_set():
                return
            wait = self._backoff.after(clock() - born, wait)
            died = Died(self._program.name, code, wait, last_words)
            self._conclude(died)
            self._on_event(died)
            await _first_of(self.stopping.wait(), asyncio.sleep(wait))

    async def _live(self, log: Log) -> tuple[int, tuple[str, ...]]:
        """One life, from start to end: the exit code and the last lines said."""
        self._on_event(Starting(self._program.name, self._program.provider))
        try:
            process = await Process.spawn(self._program, log)
        except OSError as error:
            return 127, (str(error),)  # 127: the shell's code for a program that is not there
        ready = asyncio.create_task(self._until_ready())
        ready.add_done_callback(self._on_probed)
        try:
            await _first_of(process.wait(), self.stopping.wait(), self._until_silent(ready))
            if self.stopping.is_set():
                await self._end(process)
        finally:
            ready.cancel()
            process.sweep()
        return await process.wait(), log.tail()

    async def _until_ready(self) -> None:
        clock = asyncio.get_running_loop().time
        born = clock()
        if self._program.ready:
            await self._program.ready()
        self._on_event(Ready(self._program.name, clock() - born))
        self._conclude(None)

    async def _until_silent(self, ready: asyncio.Task[None]) -> None:
        """Return once the program has stopped answering; the caller then kills it."""
        await asyncio.wait([ready])
        alive, silent = self._program.alive, 0
        while alive is None or silent < _SILENT:
            await asyncio.sleep(self._probe_every)
            if alive:
                silent = 0 if await alive() else silent + 1

    async def _end(self, process: Process) -> None:
        clock = asyncio.get_running_loop().time
        asked = clock()
        self._on_event(Stopping(self._program.name))
        killed = await process.stop(self._grace)
        self._on_event(Stopped(self._program.name, clock() - asked, killed))

    def _conclude(self, died: Died | None) -> None:
        if not self.outcome.done():
            self.outcome.set_result(died)

    def _on_probed(self, probe: asyncio.Task[None]) -> None:
        """A probe that raises is a bug: it goes to the task that waits for readiness, else to asyncio's log."""
        if not self.outcome.done() and not probe.cancelled() and (error := probe.exception()):
            self.outcome.set_exception(error)


async def _first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
