"""Server-sent events: the same frames over plain HTTP, for clients that cannot open a WebSocket."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from services.gateway.auth.callers import Caller
from services.gateway.auth.limits import Holders, Limits
from services.gateway.live import outbox
from services.gateway.live.frames import Frame
from services.gateway.live.hub import Hub
from services.gateway.live.outbox import Outbox, Slot
from services.gateway.targets import Position, Target

_SIGN_OF_LIFE: Final = 15.0  # seconds; a client reconnects after 45 s of silence
_RETRY_MS: Final = (1_000, 5_000)  # drawn per stream, so that not all come back in the same moment


class EventStreams:
    """All event streams of a gateway."""

    def __init__(self, hub: Hub, limits: Limits) -> None:
        self.hub = hub
        self.limits = limits
        self.open: set[EventStream] = set()
        self.merged = 0  # frames that a newer one replaced before they went

    def end(self) -> None:
        """Let every stream end; their clients come back."""
        for stream in self.open:
            stream.end()


class EventStream(StreamingResponse):
    """One stream on one target, as a response. Raises Problem before it starts when there is no such target."""

    def __init__(
        self, streams: EventStreams, caller: Caller, holders: Holders, target: Target, have: Position | None
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._events(), media_type="text/event-stream", headers=headers)
        self.caller = caller
        self._streams = streams
        self._holders = holders
        self._target = target
        self._have = have
        self._outbox = Outbox()
        self._ready = asyncio.Event()
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Subscribe, then answer until one side ends it."""
        with self._streams.limits.connections.one(self._holders):
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.open.add(self)
        try:
            await self._streams.hub.subscribe(self, self._target, have=self._have)
            await super().__call__(scope, receive, partial(_in_time, send))
        except TimeoutError:
            pass  # a reader that takes nothing is let go, and with it what it held
        finally:
            self._streams.open.discard(self)
            self._streams.hub.leave(self)

    def deliver(self, slot: Slot | None, frame: Frame) -> None:
        """Keep the frame until it can be sent; a reader that stays behind is let go."""
        if self._ended:
            return
        now = asyncio.get_running_loop().time()
        self._streams.merged += self._outbox.put(slot, frame, now)
        if self._outbox.is_too_slow(now):
            self._outbox = Outbox()
            self.end()
        self._ready.set()

    async def caught_up(self) -> None:
        """A stream has one target and never asks."""

    def end(self) -> None:
        """Send what is there already, then nothing more."""
        self._ended = True
        self._ready.set()

    async def _events(self) -> AsyncIterator[bytes]:
        yield f"retry: {random.randint(*_RETRY_MS)}\n\n".encode()
        while True:
            while frame := self._outbox.take():
                yield frame.encoded(event)
                if frame.is_end and not self._target.is_feed:
                    return
            if self._ended:
                return
            self._ready.clear()
            try:
                async with asyncio.timeout(_SIGN_OF_LIFE):
                    await self._ready.wait()
            except TimeoutError:
                yield b": alive\n\n"


async def _in_time(send: Send, message: Message) -> None:
    async with asyncio.timeout(outbox.PATIENCE):
        await send(message)


def event(frame: Frame) -> bytes:
    """The frame as one event; its id is the position to resume from."""
    return b"id: %s:%d\ndata: %s\n\n" % (str(frame.epoch).encode(), frame.version or 0, frame.json)


def position_of(last_event_id: str | None) -> Position | None:
    """The position in a `Last-Event-ID`; None for anything else, which is answered with a snapshot."""
    epoch, _, version = (last_event_id or "").rpartition(":")
    return Position(epoch, int(version)) if epoch and version.isdecimal() and len(version) < 19 else None
