"""A seeded event loop with virtual time, on which all processes of a simulated world run.

Each simulated process has a queue of its own, in the order that asyncio promises. Which process goes next is drawn from
the seed. Time stands still while anything can run, then jumps to the next timer.
"""

import asyncio
import heapq
import sys
from asyncio.events import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, Final

EPOCH: Final = 1_773_489_600.0  # the world's clock at virtual second 0: 2026-03-14 12:00 UTC

_HOME: ContextVar["Process"] = ContextVar("process")  # whose callback it is: tasks and futures inherit it
_MAX_AT_ONCE: Final = 200_000  # callbacks without any time passing: something spins


class Spinning(Exception):
    """The world does not come to rest at one moment: somebody works in circles."""


class Process:
    """One simulated process: its queue, its clocks, and whether it lives."""

    def __init__(self, name: str, *, clock: float = 0.0) -> None:
        self.name = name
        self.clock = clock  # seconds that its wall clock is ahead
        self.ready: deque[Handle] = deque()
        self.dead = False
        self.frozen_until = 0.0

    def __repr__(self) -> str:
        return self.name


class Scheduler(asyncio.AbstractEventLoop):
    """The loop. `process` is the one whose callback runs now."""

    def __init__(self, random: Random) -> None:
        self.now = 0.0
        self.random = random
        self.outside = Process("world")
        self.process = self.outside
        self.world: Any = None
        self.unexpected: list[tuple[str, BaseException | None, str]] = []
        self.steps = 0
        self._runnable: list[Process] = []
        self._timers: list[tuple[float, int, Process, TimerHandle]] = []
        self._count = 0
        self._tasks: list[asyncio.Task[Any]] = []  # also of the dead: a coroutine that is let go runs its `finally`

    # ---- what asyncio asks of a loop

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:
        handle = Handle(callback, args, self, context)
        self._enqueue(context.get(_HOME, self.outside) if context is not None else self.process, handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        home = context.get(_HOME, self.outside) if context is not None else self.process
        return self.call_for(home, when, callback, *args, context=context)

    def call_for(
        self, home: Process, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """As `call_at`, in the name of another process."""
        timer = TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, home, timer))
        return timer

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.unexpected.append((self.process.name, context.get("exception"), context.get("message", "")))

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        pass

    async def shutdown_asyncgens(self) -> None:
        pass

    # ---- what the world asks of it

    def spawn(self, process: Process, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Let a task run in a process."""
        context = copy_context()
        context.run(_HOME.set, process)
        before, self.process = self.process, process
        try:
            return self.create_task(work, context=context)
        finally:
            self.process = before

    def kill(self, process: Process) -> None:
        """From now on nothing of the process runs: no callback, no `finally`."""
        process.dead = True
        process.ready.clear()

    def freeze(self, process: Process, seconds: float) -> None:
        """Nothing of the process runs for so long; what was due meanwhile is due afterwards."""
        process.frozen_until = self.now + seconds
        self.call_for(self.outside, process.frozen_until, self._thaw, process)

    def _thaw(self, process: Process) -> None:
        if process.ready and not process.dead and process not in self._runnable:
            self._runnable.append(process)

    def _enqueue(self, process: Process, handle: Handle) -> None:
        if process.dead:
            return
        if not process.ready and process.frozen_until <= self.now:
            self._runnable.append(process)
        process.ready.append(handle)

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run the world until `main`, which is in no process, is done. Raises Spinning, and what it raises."""
        asyncio._set_running_loop(self)
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(finalizer=lambda generator: self.create_task(generator.aclose()))
        try:
            task = self.spawn(self.outside, main)
            while not task.done():
                self._turn()
            return task.result()
        finally:
            sys.set_asyncgen_hooks(*before)
            asyncio._set_running_loop(None)

    def _turn(self) -> None:
        runnable = self._runnable
        if not runnable:
            self._jump()
            return
        place = int(self.random.random() * len(runnable)) if len(runnable) > 1 else 0
        process = runnable[place]
        if not process.ready or process.frozen_until > self.now:
            runnable.pop(place)
            return
        handle = process.ready.popleft()
        if not process.ready:
            runnable.pop(place)
        if handle._cancelled:
            return
        self.process = process
        self.steps += 1
        if self.steps - self._steps_at_jump > _MAX_AT_ONCE:
            raise Spinning(f"{process.name}: {handle!r}"[:300])
        handle._run()
        self.process = self.outside

    _steps_at_jump = 0

    def _jump(self) -> None:
        """To the next moment at which something is due."""
        self._steps_at_jump = self.steps
        timers = self._timers
        while timers and timers[0][3]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Spinning("nothing will ever happen again")
        self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            _, _, home, timer = heapq.heappop(timers)
            if not timer._cancelled:
                self._enqueue(home, timer)


def loop() -> Scheduler:
    """The loop of the world that runs."""
    found = asyncio.get_running_loop()
    assert isinstance(found, Scheduler)
    return found
