"""The WebSocket side, by the `websockets` library on uvicorn's own port.

uvicorn hands an upgrade request to whatever asyncio protocol its `ws=` makes, and a `ServerConnection` is one. So a
frame goes from the hub into the transport without an ASGI task for each socket, encoded once for all of them.
"""

import asyncio
import re
from contextlib import suppress
from functools import partial
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any, Final, cast
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode, Opcode
from websockets.frames import Frame as WireFrame
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from services.gateway.auth.authenticator import Authenticator
from services.gateway.auth.callers import Caller, secret_of
from services.gateway.auth.limits import Holders, Limits, address_of
from services.gateway.auth.origins import OriginPolicy
from services.gateway.live import client_frames
from services.gateway.live.close_codes import (
    BAD_FRAME,
    NOT_FOUND,
    OF_STATUS,
    RESTART,
    TOO_SLOW,
    TRY_AGAIN_LATER,
)
from services.gateway.live.frames import Frame
from services.gateway.live.hub import Hub
from services.gateway.live.outbox import Outbox, Slot
from services.gateway.live.session import Session
from services.gateway.problems import Problem
from services.gateway.targets import Target
from shared.storage.mongo import PyMongoError

SUBPROTOCOL: Final = Subprotocol("pagestream.v1")


_OPEN_WITHIN: Final = 10.0  # seconds for the handshake
_CLOSE_WITHIN: Final = 5.0  # seconds for a goodbye; a reader that is stuck does not take it
_PING_EVERY: Final = 20.0  # seconds
_REASON_BYTES: Final = 123  # of a close frame (RFC 6455, section 5.5)
_WRITE_LIMIT: Final = 64 * 1024  # bytes in our own buffer, then frames wait in the outbox, where they are merged
_SLICES: Final = 20  # in which sockets are closed at the end, so that not all come back in the same moment
_SLICE_EVERY: Final = 0.1  # seconds
_PATH: Final = re.compile(r"/v1/(?:(?P<kind>document|job)s/(?P<id>[^/]+)/)?live")


class _Protocol(ServerProtocol):
    """Answers a frame that is too long as any other bad frame: clients know one code for both."""

    def fail(self, code: int, reason: str = "") -> None:
        super().fail(BAD_FRAME if code == CloseCode.MESSAGE_TOO_BIG else code, reason)


class Socket(ServerConnection):
    """One connection. What cannot be written at once waits in its outbox, never in the caller."""

    outbox: Outbox
    sockets: "WebSockets"
    caller: Caller  # once signed in
    sole: tuple[str, str] | None = None  # kind and id, of `/v1/documents/{id}/live` and `/v1/jobs/{id}/live`

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel keeps for a reader that does not read: it would grow to megabytes by itself."""
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, _WRITE_LIMIT)
        super().connection_made(transport)

    def deliver(self, slot: Slot | None, frame: Frame) -> None:
        """Write the frame, or keep it until the reader has caught up."""
        if self.protocol.state is not OPEN:
            return
        if not self.paused:
            self._write(frame)
            return
        self.sockets.merged += self.outbox.put(slot, frame, self.loop.time())
        self.sockets.slow.add(self)
        if self.outbox.is_full:
            self.outbox = Outbox()
            self.sockets.let_go(self)

    async def caught_up(self) -> None:
        """Return once the reader has taken everything. It may never come to that; the caller is cancelled then."""
        with suppress(ConnectionClosed):
            await self.drain()
            while len(self.outbox):
                await self.drain()

    def resume_writing(self) -> None:
        """The reader caught up with what was written: what waits comes next."""
        super().resume_writing()
        while not self.paused and self.protocol.state is OPEN and (frame := self.outbox.take()):
            self._write(frame)

    def _write(self, frame: Frame) -> None:
        self.transport.write(frame.encoded(text_frame))
        if frame.is_end and self.sole:
            self.sockets.part(self, NOT_FOUND, "deleted")

    async def hang_up(self, code: int, reason: str = "") -> None:
        """Say goodbye; a reader that does not take it is cut off."""
        words = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self.close(code, words)
        except TimeoutError:
            self.transport.abort()


def text_frame(frame: Frame) -> bytes:
    """The bytes of an unmasked text frame (RFC 6455, section 5.2)."""
    return WireFrame(Opcode.TEXT, frame.json).serialize(mask=False)


class WebSockets:
    """All connections of a gateway; stands where the library expects its own `Server`."""

    def __init__(
        self,
        hub: Hub,
        origin_policy: OriginPolicy,
        authenticator: Authenticator,
        limits: Limits,
        *,
        max_subscriptions: int,
    ) -> None:
        self._hub = hub
        self._origin_policy = origin_policy
        self._authenticator = authenticator
        self._limits = limits
        self._max_subscriptions = max_subscriptions
        self._serving = True
        self.open: set[Socket] = set()
        self.slow: set[Socket] = set()
        self.merged = 0  # frames that a newer one replaced before they went
        self.handler_tasks: set[asyncio.Task[None]] = set()

    def protocol(self, **_of_uvicorn: Any) -> Socket:
        """The asyncio protocol of one connection, as uvicorn's `ws=` asks for it."""
        socket = Socket(
            _Protocol(select_subprotocol=_select, max_size=4 * client_frames.MAX_BYTES),
            cast(Server, self),
            ping_interval=_PING_EVERY,
            ping_timeout=_PING_EVERY,
            close_timeout=_CLOSE_WITHIN,
            write_limit=_WRITE_LIMIT,
        )
        socket.outbox = Outbox()
        socket.sockets = self
        return socket

    def is_serving(self) -> bool:
        """Whether new connections are welcome."""
        return self._serving

    async def handler(self, socket: ServerConnection) -> None:
        """The life of one connection; started by the library."""
        assert isinstance(socket, Socket)
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(_OPEN_WITHIN):
                await socket.handshake(self._admit, server_header=None)
            if socket.protocol.state is OPEN:
                await self._serve(socket)
        except (ConnectionClosed, TimeoutError):
            pass  # the other side went away
        finally:
            socket.transport.abort()
            self.handler_tasks.discard(cast("asyncio.Task[None]", task))

    async def let_go_of_the_slow(self) -> None:
        """Until cancelled, close each connection that stays behind."""
        while True:
            await asyncio.sleep(1)
            now = asyncio.get_running_loop().time()
            self.slow = {socket for socket in self.slow if len(socket.outbox)}
            late = {socket for socket in self.slow if socket.outbox.is_too_slow(now)}
            self.slow -= late
            for socket in late:
                self.let_go(socket)

    def let_go(self, socket: Socket) -> None:
        """Close a connection whose reader stays behind."""
        self.slow.discard(socket)
        self._hub.leave(socket)
        self.part(socket, TOO_SLOW, "too slow")

    async def drain(self) -> None:
        """Take no more connections and close those there are with 1012, slice by slice."""
        self._serving = False
        sockets = list(self.open)
        size = -(-len(sockets) // _SLICES) or 1
        for start in range(0, len(sockets), size):
            for socket in sockets[start : start + size]:
                self.part(socket, RESTART, "restart")
            await asyncio.sleep(_SLICE_EVERY)
        if self.handler_tasks:
            await asyncio.wait(self.handler_tasks, timeout=2 * _CLOSE_WITHIN)

    def part(self, socket: Socket, code: int, reason: str) -> None:
        """Say goodbye without waiting for it."""
        task = asyncio.create_task(socket.hang_up(code, reason))
        self.handler_tasks.add(task)
        task.add_done_callback(self.handler_tasks.discard)

    async def _sign_in(self, socket: Socket) -> Caller:
        """Who it is. Raises Problem only now: a page learns from a close code why, never from a handshake."""
        assert socket.request
        headers = socket.request.headers
        offered = [name.strip() for name in ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(",")]
        query = urlsplit(socket.request.path).query
        try:
            return await self._authenticator.caller(secret_of(headers.get("Authorization"), query, offered))
        except PyMongoError:
            raise Problem("database_unavailable") from None

    async def _serve(self, socket: Socket) -> None:
        """Answer until the connection is closed. Raises ConnectionClosed."""
        try:
            socket.caller = await self._sign_in(socket)
            holders = (socket.caller.name, address_of(str(socket.remote_address[0])))
            with self._limits.connections.one(holders):
                await self._converse(socket, holders)
        except Problem as problem:
            await socket.hang_up(OF_STATUS.get(problem.status, TRY_AGAIN_LATER), problem.code)

    async def _converse(self, socket: Socket, holders: Holders) -> None:
        socket.start_keepalive()
        self.open.add(socket)
        conversation = Session(
            self._hub,
            socket,
            socket.caller,
            partial(self.part, socket),
            limits=self._limits,
            holders=holders,
            max_subscriptions=self._max_subscriptions,
        )
        try:
            if socket.sole:
                conversation.start_with(Target(socket.caller.tenant, *socket.sole))
            while True:
                conversation.hear(await socket.recv(), socket.loop.time())
                await socket.drain()  # who does not read is not answered
        finally:
            self.open.discard(socket)
            self.slow.discard(socket)
            await conversation.end()

    def _admit(self, _: ServerConnection, request: Request) -> Response | None:
        socket = cast(Socket, _)
        try:
            headers = {name.lower(): ",".join(request.headers.get_all(name)) for name in request.headers}
            self._origin_policy.check(headers, key_required=self._authenticator.required)
            path = urlsplit(request.path).path
            match = _PATH.fullmatch(path)
            if match is None:
                raise Problem("not_found", path=path)
            socket.sole = (match["kind"], match["id"]) if match["id"] else None
        except Problem as problem:
            return _refusal(socket, problem)
        return None


def _select(_: ServerProtocol, offered: "list[Subprotocol] | Any") -> Subprotocol | None:
    """A client may offer none. One that offers some is answered ours or none; browsers close on none."""
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


def _refusal(socket: Socket, problem: Problem) -> Response:
    response = socket.respond(problem.status, orjson.dumps(problem.body()).decode())
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/problem+json"
    return response
