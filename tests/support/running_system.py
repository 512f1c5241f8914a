"""The whole system as real processes on free ports, and a hand on each of them."""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from cli.programs import PROVISION, service_programs
from services.progress.rebuild import digest
from shared.events.document import Fact, SliceCompleted
from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from shared.storage.mongo import Mongo
from stack.process import Program
from stack.running import Running
from stack.settings import StackSettings
from stack.system import Programs, Provision, System
from tests.support import infrastructure, kafka, processes
from tests.support.background_loop import Background
from tests.support.infrastructure import CACHE, Infrastructure
from tests.support.wait import until

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
PATIENCE: Final = 90.0  # seconds; ten times what it takes on two idle cores
EVERY: Final = 0.1  # seconds between two looks at a system that needs its cores


class RunningSystem:
    """A broker, a database and a folder of blobs that stay; services that come and go."""

    def __init__(self, folder: Path, provided: Infrastructure, background: Background) -> None:
        self.folder = folder
        self.provided = provided
        self.settings = SharedSettings(
            kafka=provided.kafka, mongo=provided.mongo, store=f"file://{folder / 'blobs'}", partitions=12
        )
        self.temporary = folder / "temporary"  # of the services
        self.environment = {
            "PAGESTREAM_KAFKA": self.settings.kafka,
            "PAGESTREAM_MONGO": self.settings.mongo,
            "PAGESTREAM_STORE": self.settings.store,
            "PAGESTREAM_CACHE": str(CACHE),
        }
        self._background = background
        self._system: System | None = None

    # ---- the services

    async def start(self, programs: Programs = service_programs, provision: Sequence[Provision] = PROVISION) -> None:
        """Start the services and wait until uploads can come."""
        self.begin(programs, provision)
        await self._background.do(self.system.ready(within=PATIENCE))

    def begin(self, programs: Programs = service_programs, provision: Sequence[Provision] = PROVISION) -> None:
        """Start the services."""
        settings = StackSettings(
            data=self.folder / "services",
            cache=CACHE,
            store=self.settings.store,
            kafka=self.provided.kafka,
            mongo=self.provided.mongo,
            gateway_port=0,
        )
        self.temporary.mkdir(exist_ok=True)

        def all_in_our_folder(running: Running) -> list[Program]:
            where = {"TMPDIR": str(self.temporary)}
            return [replace(program, env={**program.env, **where}) for program in programs(running)]

        self._system = System(settings, lambda _: None, provision=provision, programs=all_in_our_folder)
        self._background.run(self._system.start())

    def end(self) -> None:
        """Stop the services; broker and database run on."""
        if self._system:
            self._background.run(self._system.stop())
        self._system = None

    @property
    def is_running(self) -> bool:
        """Whether the services were started and not stopped since."""
        return self._system is not None

    @property
    def system(self) -> System:
        assert self._system, "the services do not run"
        return self._system

    @property
    def url(self) -> str:
        """The gateway's address."""
        return str(self.system.running.gateway)

    def pid_of(self, service: str) -> int | None:
        """The process of a service of this system, None while it is not there; other systems may run beside it."""
        module = f"services.{service}"
        found = (pid for pid, command in processes.commands() if command[-2:] == ["-m", module])
        ours = (pid for pid in found if processes.parent_of(pid) == os.getpid())
        return next((pid for pid in ours if f"TMPDIR={self.temporary}" in processes.environment(pid)), None)

    def below(self, service: str) -> list[int]:
        """The processes that a service has started, none while it is not there."""
        pid = self.pid_of(service)
        return processes.below(pid) if pid else []

    async def kill(self, service: str, number: int = signal.SIGKILL) -> None:
        """Signal a service and wait until another process has taken its place."""
        pid = self.pid_of(service)
        assert pid, f"{service} does not run"
        os.kill(pid, number)
        await until(lambda: self.pid_of(service) not in (pid, None), within=PATIENCE, what=f"{service} came back")

    @contextmanager
    def stopped(self, service: str) -> Iterator[None]:
        """The service stands still, and goes on afterwards as if nothing had been."""
        pid = self.pid_of(service)
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def log_of(self, service: str) -> list[dict[str, Any]]:
        """What a service has logged, over all its lives."""
        lines = (self.folder / "services" / "logs" / f"{service}.log").read_bytes().splitlines()
        return [orjson.loads(line) for line in lines if line.startswith(b"{")]

    def at_work(self) -> list[int]:
        """The recognisers that run now below the OCR service."""
        names = dict(processes.commands())
        return [one for one in self.below("ocr") if "tesseract" in " ".join(names.get(one, []))]

    # ---- documents

    async def upload(self, data: bytes, filename: str = "paper.pdf") -> str:
        """Put a document in, also one that is there already; its id."""
        where = {"filename": filename, "force": "true"}
        answer = await self.call("POST", "/v1/documents", params=where, content=data)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["document_id"])

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One call to the gateway; while that is not there, the call is made again."""
        # Nothing is TLS here, and with `verify` each client would read the machine's certificates: 30 ms of CPU.
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, verify=False, timeout=30) as http:

            async def answer() -> httpx.Response | None:
                with suppress(httpx.TransportError):
                    found = await http.request(method, path, **more)
                    return None if found.status_code == 503 else found
                return None

            return await until(answer, PATIENCE, what=f"{method} {path} is answered", every=EVERY)

    async def newest(self) -> Any:
        """The view of the document that was uploaded last."""
        (found,) = (await self.call("GET", "/v1/documents?limit=1")).json()["documents"]
        return found

    async def get(self, path: str) -> Any:
        """What the gateway has under a path of /v1/documents."""
        answer = await self.call("GET", f"/v1/documents/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, document_id: str, statuses: Collection[str] = ENDED, within: float = PATIENCE) -> Any:
        """The document's view as soon as its status is one of `statuses`."""

        async def reached() -> Any:
            view = await self.get(document_id)
            return view if view["status"] in statuses else None

        return await until(reached, within, what=f"{document_id} is one of {sorted(statuses)}", every=EVERY)

    async def until_pages(self, document_id: str, count: int) -> None:
        """Return as soon as `count` pages are done."""

        async def reached() -> bool:
            return bool((await self.get(document_id))["pages"]["done"] >= count)

        await until(reached, PATIENCE, what=f"{count} pages of {document_id} are done")

    async def results(self, document_id: str) -> dict[str, Any]:
        """All that was read in a document, without what tells one upload of it from another."""
        text = await self.get(f"{document_id}/text")
        chunks = await self.get(f"{document_id}/chunks")
        extraction = await self.get(f"{document_id}/extraction")
        pages = [page["page"] for page in (await self.get(f"{document_id}/pages"))["pages"]]
        return {
            "text": {name: value for name, value in text.items() if name != "document_id"},
            "chunks": chunks["chunks"],
            "extraction": {name: value for name, value in extraction.items() if name not in ("document_id", "_id")},
            "pages": [await self.get(f"{document_id}/pages/{page}") for page in pages],
        }

    # ---- standalone jobs

    async def job(self, job_id: str) -> dict[str, Any]:
        """The view of a standalone job."""
        answer = await self.call("GET", f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until_job(self, job_id: str, **fields: Any) -> dict[str, Any]:
        """The view of a standalone job as soon as it has these fields."""

        async def reached() -> dict[str, Any] | None:
            view = await self.job(job_id)
            return view if fields.items() <= view.items() else None

        return await until(reached, what=f"{job_id} is {fields}")

    # ---- the log and the database

    async def facts(self, document_id: str) -> list[Fact]:
        """What the log says of a document."""
        return await kafka.facts_of(self.settings.kafka, document_id)

    async def claims(self, document_id: str) -> dict[str, Fact]:
        """What the log claims of a document, by event id, however often each fact stands there."""
        return {fact.event_id: fact for fact in await self.facts(document_id)}

    async def slices_done(self, document_id: str, stage: str = "ocr") -> Counter[int]:
        """How often the log says of each slice that it is done, each event id counted once."""
        facts = (await self.claims(document_id)).values()
        return Counter(f.slice for f in facts if isinstance(f, SliceCompleted) and f.stage == stage)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Mongo]:
        """The databases of the system."""
        async with mongo.connect(self.settings) as database:
            yield database

    async def digest(self) -> dict[str, str]:
        """One digest for each collection of the live generation."""
        async with self.database() as database:
            generation = await database.live_generation()
            assert generation
            return await digest.of_generation(database, generation)

    async def drop_projections(self) -> None:
        """Drop the database that holds only what a fold wrote."""
        async with self.database() as database:
            await database.client.drop_database(self.settings.database)

    async def until_ready(self, but: str | None = None) -> str:
        """The live generation, once one that is not `but` has caught up and all its results are stored."""

        async def ready() -> str | None:
            async with self.database() as database:
                status = await database.control["status"].find_one({"_id": "progress"}) or {}
                generation = await database.live_generation()
                if not generation or generation == but or status.get("generation") != generation:
                    return None
                behind = not status["caught_up"] or status["lag"] or await unstored(database, generation)
                return None if behind else generation

        return await until(ready, PATIENCE, what="the projection has caught up", every=EVERY)


async def unstored(database: Mongo, generation: str) -> int:
    """How many documents have results that are not in their collections."""
    differs = [{"$ne": [f"$results.{stage}", f"$loaded.{stage}"]} for stage in ("chunk", "extract")]
    rows = database.projection("documents", generation)
    return await rows.count_documents({"deleted": False, "$expr": {"$or": differs}})


@contextmanager
def running(folder: Path) -> Iterator[RunningSystem]:
    """A system whose services are not started yet; nothing of it is left on leaving."""
    with infrastructure.started(folder / "infrastructure") as provided, Background() as background:
        system = RunningSystem(folder, provided, background)
        try:
            yield system
        finally:
            system.end()
