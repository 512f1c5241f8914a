"""The processes of a world: each is started, dies, is started again, as the supervisor of a machine does it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aiokafka.errors import KafkaError

from services.gateway.problems import Problem
from services.progress.app import serve as serve_progress
from services.progress.handlers import Handover
from services.progress.rebuild import generation_swap
from services.progress.settings import ProgressSettings
from shared.errors import Rejected, Transient
from shared.harness.app import serve as serve_stage
from shared.harness.settings import StageSettings
from shared.kafka.fetch_watchdog import FetchingStopped
from shared.kafka.producer import Unconfirmed
from shared.projecting.checkpoint import CheckpointGone
from shared.projecting.loop import Halted
from shared.storage.leases import LeaseLost
from shared.storage.mongo import PyMongoError
from tests.simulation import subscriber
from tests.simulation.gateway import serve_gateway
from tests.simulation.scheduler import Process

# What ends a process by design: it is started again and goes on.
BY_DESIGN: Final = (
    Unconfirmed, CheckpointGone, LeaseLost, PyMongoError, KafkaError, FetchingStopped, Handover, Halted, Rejected,
    Transient, TimeoutError, Problem, asyncio.CancelledError,
)  # fmt: skip
_GRACE_SECONDS: Final = 10.0

Start = Callable[[], Coroutine[Any, Any, None]]


class Machines:
    """All processes, by name."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.running: dict[str, Process] = {}
        self._mains: dict[str, asyncio.Task[None]] = {}
        self._ended: dict[str, asyncio.Event] = {}
        store = {"store": "s3://simulated", "partitions": world.scenario.partitions}
        self._progress = ProgressSettings(**store, snapshot_facts=world.scenario.snapshot_facts)
        self._stage = StageSettings(**store, children=world.scenario.children, cores=1, max_attempts=2)

    def starts(self) -> dict[str, tuple[Start, float]]:
        """How each process begins, and how far its clock is ahead."""
        found: dict[str, tuple[Start, float]] = {"gateway": (lambda: serve_gateway(self._world, self._progress), 0.0)}
        for number, clock in enumerate(self._world.scenario.clocks):
            machine = f"m{number}"
            for stage in self._world.scenario.stages:
                settings = self._stage.model_copy(update={"slot": machine})
                found[f"{machine}/{stage}"] = (_stage(stage, settings), clock)
            settings = self._progress.model_copy(update={"slot": machine})
            found[f"{machine}/progress"] = (_progress(settings), clock)
        return found

    async def keep(self, name: str, start: Start, clock: float) -> None:
        """Run a process for ever, life after life."""
        while True:
            await self._live(name, start, clock)
            await asyncio.sleep(0.3 + 2.0 * self._world.loop.random.random())

    async def rebuild(self, mode: str) -> None:
        """Run a rebuild once."""
        if "rebuild" not in self.running:
            await self._live("rebuild", lambda: generation_swap.rebuild(self._progress, mode), 0.0)
            self.running.pop("rebuild", None)

    async def _live(self, name: str, start: Start, clock: float) -> None:
        world = self._world
        process = self.running[name] = Process(name, clock=clock)
        ended = self._ended[name] = asyncio.Event()
        main = self._mains[name] = world.loop.spawn(process, start())
        main.add_done_callback(lambda _: ended.set())
        world.tell(name, "starts")
        await ended.wait()
        if main.done():
            self._note_end(name, main)
        world.loop.kill(process)
        subscriber.silent(world.broker, process)

    def _note_end(self, name: str, main: "asyncio.Task[None]") -> None:
        error = None if main.cancelled() else main.exception()
        self._world.tell(name, f"ends: {error!r}"[:200] if error else "ends")
        if error and not by_design(error):
            self._world.surprises.append(f"{name} ended with {leaf(error)!r}")

    # ---- what is done to them

    def kill(self, name: str) -> None:
        """SIGKILL."""
        if process := self.running.get(name):
            self._world.loop.kill(process)
            self._ended[name].set()

    def terminate(self, name: str) -> None:
        """SIGTERM, and SIGKILL for who is not gone in time."""
        if process := self.running.get(name):
            self._mains[name].cancel()
            self._world.loop.call_later(_GRACE_SECONDS, lambda: process.dead or self.kill(name))

    def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so long."""
        if process := self.running.get(name):
            self._world.loop.freeze(process, seconds)
            subscriber.silent(self._world.broker, process)


def _stage(stage: str, settings: StageSettings) -> Start:
    return lambda: serve_stage(stage, stage, settings, online=False)


def _progress(settings: ProgressSettings) -> Start:
    return lambda: serve_progress(settings)


def by_design(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(by_design(one) for one in error.exceptions)
    return isinstance(error, BY_DESIGN)


def leaf(error: BaseException) -> BaseException:
    """The first error of a group that nobody meant."""
    while isinstance(error, BaseExceptionGroup):
        error = next((one for one in error.exceptions if not by_design(one)), error.exceptions[0])
    return error
