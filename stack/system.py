"""The whole system on one machine: broker and database, what must exist in them, then the services."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from os import getpid
from types import TracebackType
from typing import Self

from stack import folder, infrastructure, ports, running, tesseract
from stack.events import OnEvent
from stack.ports import HOST, Wanted
from stack.process import Program
from stack.running import Running
from stack.settings import StackSettings
from stack.supervisor import Supervisor
from stack.together import together

Provision = Callable[[Running], Awaitable[None]]  # makes what must exist before a service starts: topics, indexes
Programs = Callable[[Running], Sequence[Program]]  # the services, in the order of their start


class System:
    """Start it, use it, stop it, once; `async with System(…) as system` does the first and the last.

    Without `programs` it is broker and database only. `fresh` empties the data folder first, except for downloads.
    """

    def __init__(
        self,
        settings: StackSettings,
        on_event: OnEvent,
        *,
        provision: Sequence[Provision] = (),
        programs: Programs | None = None,
        fresh: bool = False,
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._provision = provision
        self._programs = programs
        self._fresh = fresh
        self._started = AsyncExitStack()
        self._services = Supervisor(settings.folder / "logs", on_event)
        self._names: Sequence[str] = ()
        self._running: Running | None = None

    @property
    def running(self) -> Running:
        """Where the started system answers."""
        if not self._running:
            raise RuntimeError("the system is not started")
        return self._running

    async def start(self) -> Running:
        """Bring broker and database up side by side, provision them, start the services (`ready` waits for those).

        Raises Rejected or Transient; all that was started has ended then.
        """
        async with AsyncExitStack() as begun:
            self._claim(begun)
            self._running = await self._start_infrastructure(begun)
            for provide in self._provision:
                await provide(self._running)
            if self._programs:
                begun.push_async_callback(self._services.stop)
                await self._start_services(self._programs(self._running))
            begun.callback(running.withdraw, self._settings.folder)
            running.publish(self._settings.folder, self._running)
            self._started = begun.pop_all()
        return self._running

    async def ready(self, within: float) -> None:
        """Return once every service has answered.

        Raises Transient `did_not_start` for the first that died or took more than `within` seconds; all are tried on.
        """
        await together(*(self._services.ready(name, within) for name in self._names))

    async def stop(self) -> None:
        """End the services, then broker and database; no process is left."""
        await self._started.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _claim(self, begun: AsyncExitStack) -> None:
        data = self._settings.folder
        if self._fresh:
            folder.check_ours(data)
        begun.enter_context(running.claim(data))
        if self._fresh:
            folder.empty(data, keep=self._settings.downloads)

    async def _start_infrastructure(self, begun: AsyncExitStack) -> Running:
        settings = self._settings
        wanted = infrastructure.wanted_ports(settings)
        if self._programs:
            wanted["gateway"] = Wanted(settings.gateway_port, "The gateway", "PAGESTREAM_GATEWAY_PORT")
        chosen = await ports.choose_patiently(wanted)
        supervisor = Supervisor(settings.folder / "logs", self._on_event)
        begun.push_async_callback(supervisor.stop)
        addresses = await infrastructure.start(settings, chosen, supervisor, self._on_event)
        gateway = f"http://{HOST}:{chosen['gateway']}" if self._programs else None
        return Running(
            pid=getpid(),
            started_at=datetime.now(UTC),
            kafka=addresses.kafka,
            mongo=addresses.mongo,
            gateway=gateway,
            gateway_port=chosen.get("gateway"),
        )

    async def _start_services(self, programs: Sequence[Program]) -> None:
        settings = self._settings
        engine = await asyncio.to_thread(partial(tesseract.find, packaged_only=settings.packaged_only))
        common = {
            "PAGESTREAM_KAFKA": self.running.kafka,
            "PAGESTREAM_MONGO": self.running.mongo,
            "PAGESTREAM_CACHE": str(settings.downloads),
            "PAGESTREAM_STORE": settings.store or f"file://{settings.folder / 'blobs'}",
            "PAGESTREAM_SEARCH": str(settings.folder / "search"),
            "PAGESTREAM_CORES_FOLDER": str(settings.folder / "cores"),
            "PAGESTREAM_SLOTS_FOLDER": str(settings.folder / "slots"),
            "PAGESTREAM_GATEWAY_PORT": str(self.running.gateway_port),
            "PAGESTREAM_OCR_TESSERACT": str(engine.path),
            "PAGESTREAM_OCR_TESSDATA": str(engine.tessdata or ""),
        }
        for program in programs:
            self._services.start(replace(program, env={**common, **program.env}))
        self._names = [program.name for program in programs]
