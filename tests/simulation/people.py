"""People at the gateway: they upload, press buttons, watch, and read what they were told is there."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from services.gateway.api import commands
from services.gateway.problems import Problem
from services.gateway.targets import DocumentKey, Target
from services.gateway.uploads.ingest import IncomingUpload
from services.gateway.uploads.options import UploadOptions
from shared.document.upload_info import UploadInfo
from shared.errors import Rejected, Transient
from shared.kafka.producer import Unconfirmed
from shared.storage.mongo import PyMongoError
from tests.simulation.scenario import Document, Wish

_TIMEOUT: Final = 40.0  # seconds until a client gives up on an answer
_AGAIN: Final = 1.5


class NoAnswer(Exception):
    """The gateway did not answer; whatever was asked may have happened."""


@dataclass(eq=False)
class Viewer:
    """One connection: what it was shown, in order."""

    tenant: str
    document_id: str | None  # None: the feed
    process: Any = None  # the gateway's
    frames: list[dict[str, Any]] = field(default_factory=list)

    def deliver(self, slot: Any, frame: Any) -> None:
        self.frames.append(orjson.loads(frame.json))


class People:
    """Everybody outside. `accepted` are the ids that were answered with 202, by document."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.accepted: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.viewers: list[Viewer] = []
        self.waiting = len(world.scenario.documents)
        self._seen: dict[str, str] = {}  # the generation in which each id was seen last

    async def at_gateway(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """What a request to the gateway that is there now comes to. Raises NoAnswer, and what the gateway raises."""
        loop, gateway = self._world.loop, self._world.gateway
        if gateway is None or gateway.process.dead:
            await asyncio.sleep(_AGAIN)
            raise NoAnswer
        answer = loop.create_future()
        task = loop.spawn(gateway.process, work(gateway))
        task.add_done_callback(lambda done: answer.done() or answer.set_result(done))
        try:
            done = await asyncio.wait_for(answer, _TIMEOUT)
        except TimeoutError:
            raise NoAnswer from None
        if done.cancelled():
            raise NoAnswer
        return done.result()

    # ---- uploading

    async def upload(self, document: Document) -> None:
        """Until it is accepted."""
        await asyncio.sleep(document.at)
        while document.name not in self.accepted:
            try:
                upload = await self.at_gateway(lambda gateway: gateway.uploads.take(_incoming(document), 0))
            except (NoAnswer, Problem, Rejected, Transient, Unconfirmed, PyMongoError) as error:
                self._world.tell("people", f"upload of {document.name} is not answered: {error!r}"[:120])
                await asyncio.sleep(_AGAIN)
            else:
                self.accepted[document.name] = upload.fact.document_id
        self.waiting -= 1
        self._world.tell("people", f"{document.name} is accepted as {self.accepted[document.name][:8]}")
        await self.watch(document.tenant, self.accepted[document.name])

    # ---- pressing buttons

    async def wish(self, wish: Wish) -> None:
        """Ask once; what is refused is refused."""
        await asyncio.sleep(wish.at)
        document_id = self.accepted.get(wish.document)
        if document_id is None:
            return
        tenant = self._world.scenario.document(wish.document).tenant
        ask = getattr(commands, wish.kind)
        try:
            await self.at_gateway(
                lambda gateway: ask(**_components(ask, gateway), key=DocumentKey(tenant, document_id))
            )
            told = "is taken"
        except (NoAnswer, Problem, Transient, Unconfirmed, PyMongoError) as error:
            told = f"is answered with {error!r}"[:100]
        self._world.tell("people", f"{wish.kind} of {wish.document} {told}")

    # ---- watching

    async def watch(self, tenant: str, document_id: str | None) -> None:
        """Watch for ever, connection after connection."""
        while True:
            gateway = self._world.gateway
            viewer = Viewer(tenant, document_id)
            target = Target.of_key(tenant, document_id) if document_id else Target.of_feed(tenant)
            try:
                await self.at_gateway(lambda gateway: gateway.hub.subscribe(viewer, target))  # noqa: B023
            except (NoAnswer, Transient, PyMongoError):
                await asyncio.sleep(_AGAIN)
                continue
            except Problem as error:
                if document_id in self.deleted or self._is_deleted(document_id):
                    return
                self._world.tell("people", f"subscribe {document_id}: {error.code}")
                await asyncio.sleep(_AGAIN)
                continue
            viewer.process = gateway.process
            self.viewers.append(viewer)
            while self._world.gateway is gateway and not gateway.process.dead:
                await asyncio.sleep(2.0)

    async def read(self) -> None:
        """Read what was accepted, again and again: what was there once is there, unless it was deleted or dropped."""
        while True:
            await asyncio.sleep(1.0)
            for name, document_id in list(self.accepted.items()):
                await self._read(name, DocumentKey(self._world.scenario.document(name).tenant, document_id))

    async def _read(self, name: str, key: DocumentKey) -> None:
        drops = self._world.drops
        try:
            found = await self.at_gateway(lambda gateway: gateway.reader.document(key))
        except (NoAnswer, PyMongoError, Transient):
            return
        except Problem as error:
            seen = self._seen.get(name)
            excused = drops != self._world.drops or self._world.dropped_lately() or self._is_deleted(key.document_id)
            if error.code == "document.not_found" and seen is not None and not excused:
                self._world.wrong("404", name, f"was there in generation {seen} and is not found")
            return
        self._seen[name] = found.generation

    def _is_deleted(self, document_id: str | None) -> bool:
        state = self._world.states.get(document_id)
        return state is not None and state.status == "deleted"


def _incoming(document: Document) -> IncomingUpload:
    async def chunks() -> AsyncIterator[bytes]:
        yield f"This is {document.copy_of or document.name} of {document.tenant}. ".encode() * 10

    options = UploadOptions(idempotency_key=document.key)
    return IncomingUpload(document.tenant, UploadInfo(document.name), "text/plain", chunks(), options)


def _components(ask: Callable[..., Any], gateway: Any) -> dict[str, Any]:
    """The components of the gateway that a route asks for, as FastAPI would hand them over."""
    names = inspect.signature(ask).parameters
    return {name: getattr(gateway, name) for name in names if hasattr(gateway, name)}
