"""A whole system made to be broken: every part is a child of ours, restarted at once, and can be told when to die."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cli.programs import provide, service_programs
from shared.events.document import Fact
from stack import infrastructure, ports
from stack.backoff import Backoff
from stack.events import Event
from stack.ports import Wanted
from stack.process import Program
from stack.running import Running
from stack.settings import StackSettings
from stack.supervisor import Supervisor
from tests.chaos import checker
from tests.chaos.observing import read_log
from tests.support import processes
from tests.support.background_loop import Background
from tests.support.infrastructure import CACHE, Infrastructure
from tests.support.running_system import ENDED, EVERY, PATIENCE, RunningSystem
from tests.support.wait import until

STAGES: Final = {"ocr": "ocr", "chunk": "chunker", "extract": "extractor"}  # stage -> service

_AT_ONCE: Final = Backoff(first=0.1, cap=0.1)  # tests wait for recoveries, not for a supervisor's patience
# Sources what a test has written, then becomes the program: a restarted service finds its new environment.
_SOURCING: Final = ("/bin/sh", "-c", '[ ! -f "$0" ] || . "$0"; exec "$@"')


class ChaosSystem(RunningSystem):
    """Broker, database and services below one supervisor; recognising is done by `fake_tesseract`."""

    def __init__(self, folder: Path, background: Background, parts: Supervisor, running: Running) -> None:
        super().__init__(folder, Infrastructure(running.kafka, running.mongo, lambda: self.frozen("kafka")), background)
        self.control = folder / "control"
        self.control.mkdir()
        self.parts = parts
        self.acknowledged: set[str] = set()
        self._running = running
        self._services: Supervisor | None = None

    # ---- the services

    def begin(self, *_: Any) -> None:
        """Start the services."""
        self.temporary.mkdir(exist_ok=True)
        self._background.run(self._begin())

    async def start(self, *_: Any) -> None:
        """Start the services and wait until uploads can come."""
        await self._background.do(self._begin())
        await self.until_ready()

    async def _begin(self) -> None:
        await provide(self._running)
        self.temporary.mkdir(exist_ok=True)
        self._services = await self._supervisor()
        for program in service_programs(self._running):
            self._services.start(self._armed(program))

    async def _supervisor(self) -> Supervisor:
        return Supervisor(self.folder / "services" / "logs", _nobody_listens, _AT_ONCE)

    @asynccontextmanager
    async def another(
        self, name: str, service: str, role: str = "both", *, slot: str | None = None
    ) -> AsyncIterator[None]:
        """One more process of a stage, asked to end on leaving; its slot is `name` unless another is given."""
        supervisor = await self._background.do(self._supervisor())
        env = {"PAGESTREAM_SLOT": name if slot is None else slot, "PAGESTREAM_ROLE": role}
        program = self._armed(Program(name, (sys.executable, "-m", f"services.{service}"), env))

        async def start() -> None:
            supervisor.start(program)

        await self._background.do(start())
        try:
            yield
        finally:
            await self._background.do(supervisor.stop())

    def _armed(self, program: Program) -> Program:
        env = {
            **self.environment,
            "PAGESTREAM_GATEWAY_PORT": str(self._running.gateway_port),
            "PAGESTREAM_OCR_TESSERACT": str(self._fake_tesseract()),
            "PAGESTREAM_OCR_TESSDATA": "",
            "PAGESTREAM_OCR_PAGE_SECONDS": "2",
            "PAGESTREAM_CHILDREN": "2",
            "PAGESTREAM_CORES": "2",
            "PAGESTREAM_CORES_FOLDER": str(self.folder / "cores"),
            "PAGESTREAM_SLOTS_FOLDER": str(self.folder / "slots"),
            "PAGESTREAM_SESSION_TIMEOUT_MS": "6000",
            "CHAOS_CONTROL": str(self.control),
            "TMPDIR": str(self.temporary),
            **program.env,
        }
        return replace(program, argv=(*_SOURCING, str(self._arms(program.name)), *program.argv), env=env)

    def _fake_tesseract(self) -> Path:
        path = self.folder / "tesseract"
        body = (Path(__file__).parent / "fake_tesseract.py").read_text()
        path.write_text(f"#!{sys.executable} -IS\n{body}")
        path.chmod(0o755)
        return path

    def _arms(self, name: str) -> Path:
        return self.control / f"{name}.env"

    def end(self) -> None:
        """Stop the services; broker and database run on."""
        if self._services:
            self._background.run(self._services.stop())
        self._services = None

    @property
    def is_running(self) -> bool:
        """Whether the services were started and not stopped since."""
        return self._services is not None

    @property
    def url(self) -> str:
        """The gateway's address."""
        return str(self._running.gateway)

    @asynccontextmanager
    async def armed(self, environments: Mapping[str, Mapping[str, str]], saying: str = "") -> AsyncIterator[None]:
        """Restart services with more in their environment, by service; after leaving the next restart is without.

        `saying` is the event by which they tell that they are at work, where it is not the usual one.
        """
        for service, env in environments.items():
            self._arms(service).write_text("".join(f"export {name}='{value}'\n" for name, value in env.items()))
        try:
            await asyncio.gather(*(self.restart(service, saying=saying) for service in environments))
            yield
        finally:
            for service in environments:
                self._arms(service).unlink()

    @asynccontextmanager
    async def crashing(self, points: Mapping[str, str], **settings: str) -> AsyncIterator[None]:
        """Restart services so that each kills itself once at its failpoint, by service; all must have done so.

        `settings` are environment variables for them.
        """
        marks = {service: self.control / f"crashed-{uuid.uuid4().hex}" for service in points}
        async with self.armed(
            {
                service: {"PAGESTREAM_CRASH_AT": point, "PAGESTREAM_CRASH_MARK": str(marks[service]), **settings}
                for service, point in points.items()
            }
        ):
            yield
        assert [service for service, mark in marks.items() if not mark.exists()] == [], "it never came to the failpoint"

    async def restart(self, service: str, number: int = signal.SIGTERM, saying: str = "") -> None:
        """End a service and wait until its next life has begun to work."""
        saying = saying or {"progress": "projector starts"}.get(service, "worker starts")
        before = len(self.log_of(service))
        await self.kill(service, number)

        def said() -> bool:
            return any(line["event"] == saying for line in self.log_of(service)[before:])

        await until(said, PATIENCE, what=f"{service} is at work")

    async def kill(self, service: str, number: int = signal.SIGKILL) -> None:
        """Signal a service, as soon as it is there, and wait until another process has taken its place."""
        await self.until_there(service)
        await super().kill(service, number)

    async def until_there(self, service: str) -> int:
        """The process of a service, as soon as there is one."""
        return await until(lambda: self.pid_of(service), PATIENCE, what=f"{service} runs") or 0

    # ---- parts: kafka, mongodb

    def part(self, name: str) -> int | None:
        """The process of a part, None while it is not there."""
        found = processes.naming(str(self.folder / "infrastructure" / name))
        return next((pid for pid in found if processes.parent_of(pid) == os.getpid()), None)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """The part stands still, and goes on afterwards as if nothing had been."""
        pid = self.part(name)
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def kill_part(self, name: str) -> None:
        """Kill -9 a part and wait until another process has taken its place."""
        pid = await until(lambda: self.part(name), PATIENCE, what=f"{name} runs")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: self.part(name) not in (pid, None), PATIENCE, what=f"{name} came back")

    # ---- the recogniser

    def runs(self) -> list[tuple[int, int, int]]:
        """Every run of the recogniser: pid, width and height of the picture."""
        path = self.control / "runs"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), int(width), int(height)) for pid, width, height in map(str.split, lines)]

    @contextmanager
    def held(self) -> Iterator[None]:
        """No page is finished before this is left."""
        hold = self.control / "hold"
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    @contextmanager
    def page_takes(self, seconds: float) -> Iterator[None]:
        """Each page is read in so many seconds."""
        path = self.control / "seconds"
        path.write_text(str(seconds))
        try:
            yield
        finally:
            path.unlink()

    async def until_reading(self, count: int = 1) -> list[int]:
        """The recognisers at work, once there are `count`."""

        def reading() -> list[int]:
            alive = [pid for pid, _, _ in self.runs() if processes.is_alive(pid)]
            return alive if len(alive) >= count else []

        return await until(reading, PATIENCE, what=f"{count} pages are being read")

    # ---- documents

    async def upload(self, data: bytes, filename: str = "paper.pdf") -> str:
        """Put a document in; what was answered with 202 is remembered for the checker."""
        document_id = await super().upload(data, filename)
        self.acknowledged.add(document_id)
        return document_id

    async def until_ended(self, *ids: str, within: float = PATIENCE) -> list[Any]:
        """The views of documents once all have ended. Asks the database: so many polls would be a load of their own."""
        async with self.database() as database:

            async def ended() -> bool:
                rows = database.projection("documents", await database.live_generation() or "")
                found = {"_id": {"$in": ids}, "view.status": {"$in": sorted(ENDED)}}
                return await rows.count_documents(found) == len(ids)

            await until(ended, within, what=f"{len(ids)} documents have ended", every=EVERY)
        return [await self.get(document_id) for document_id in ids]

    async def completed(self, *ids: str, within: float = PATIENCE) -> list[Any]:
        """The views of documents, each of which must have been completed."""
        views = await self.until_ended(*ids, within=within)
        assert {view["status"] for view in views} == {"completed"}, [view["error"] for view in views]
        return views

    async def all_facts(self) -> list[Fact]:
        """Everything that the log says."""
        log, _ = await read_log(self.settings.kafka)
        return [logged.fact for logged in log]

    async def check(self, within: float = checker.WITHIN) -> None:
        """Everything holds."""
        found = await checker.check(
            self.settings, acknowledged=self.acknowledged, within=within, temporary=self.temporary
        )
        assert not found, "\n".join(map(str, found))


@contextmanager
def started(folder: Path, *, broker_port: int = 0, address: str | None = None) -> Iterator[ChaosSystem]:
    """A system with its services begun; nothing of it is left on leaving.

    `address` is where everybody looks for the broker if that is not where it listens.
    """
    with ExitStack() as stack:
        background = stack.enter_context(Background())
        parts, running = background.run(_parts(folder / "infrastructure", broker_port))
        running = running.model_copy(update={"kafka": address or running.kafka})
        stack.callback(lambda: background.run(parts.stop()))
        system = ChaosSystem(folder, background, parts, running)
        stack.callback(system.end)
        system.begin()
        yield system


async def _parts(folder: Path, broker_port: int) -> tuple[Supervisor, Running]:
    settings = StackSettings(
        data=folder, cache=CACHE, kafka=None, mongo=None, kafka_port=broker_port, kafka_controller_port=0, mongo_port=0
    )
    wanted = infrastructure.wanted_ports(settings) | {"gateway": Wanted(0, "The gateway", "")}
    chosen = await ports.choose_patiently(wanted)
    supervisor = Supervisor(folder / "logs", _nobody_listens, _AT_ONCE)
    try:
        addresses = await infrastructure.start(settings, chosen, supervisor, _nobody_listens)
    except BaseException:
        await supervisor.stop()
        raise
    gateway = f"http://{ports.HOST}:{chosen['gateway']}"
    return supervisor, Running(
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        kafka=addresses.kafka,
        mongo=addresses.mongo,
        gateway=gateway,
        gateway_port=chosen["gateway"],
    )


def _nobody_listens(_: Event) -> None:
    """The tests look at processes and logs instead."""
