"""The line of a client: one connection for all that it follows, which finds its own way back after every loss."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Literal

from pagestream.backoff import delay
from pagestream.http import Http
from pagestream.protocol import Frame, Position, Target
from pagestream.refusals import Blocked, Lost, Unanswered, Unreachable
from pagestream.sockets import SocketLine
from pagestream.streams import StreamLine
from pagestream.subscriptions import Mailbox, Subscriptions

TRIES: Final = 2  # with a WebSocket that does not get through, before event streams are tried

Connection = Literal["websocket", "sse", "offline"]
OnLost = Callable[[str, float], None]


def ignore_loss(reason: str, wait: float) -> None:
    """An `OnLost` for those who only want states."""


class Live:
    """What a client follows, and the task that keeps the line to it.

    `on_lost(reason, seconds)` is called for each lost connection with the wait before the next try; `jitter` draws from
    [0, 1). Readers get `Unreachable` at once where the first try has no answer, later after `patience` seconds;
    `Refused` where coming back would change nothing.
    """

    def __init__(
        self,
        http: Http,
        headers: Mapping[str, str],
        *,
        patience: float,
        on_lost: OnLost,
        jitter: Callable[[], float],
    ) -> None:
        self.connection: Connection = "offline"
        self.on_lost = on_lost
        self._http = http
        self._patience = patience
        self._jitter = jitter
        self._subscriptions = Subscriptions()
        self._socket = SocketLine(http.base_url, headers, self._heard)
        self._stream = StreamLine(http, self._heard)
        self._line: SocketLine | StreamLine = self._socket
        self._task: asyncio.Task[None] | None = None
        self._was_there = False
        self._lost_at: float | None = None  # None while there is a connection
        self._attempt = 0  # failures in a row
        self._blocked = 0  # tries in a row whose WebSocket did not get through

    async def follow(self, reader: Mailbox, target: Target, have: Position | None) -> None:
        """Let `reader` have the state of `target` from now on."""
        state = self._subscriptions.join(target, reader, have)
        if self._task is None:
            self._task = asyncio.create_task(self._keep())
            self._task.add_done_callback(self._ended)
        elif state is not None:
            await self._line.add(state)

    async def drop(self, reader: Mailbox, target: Target) -> None:
        """`reader` has seen enough of `target`."""
        if self._subscriptions.drop(reader, target):
            await self._line.remove(target)

    async def leave(self, reader: Mailbox) -> None:
        """`reader` reads no more."""
        for target in self._subscriptions.leave(reader):
            await self._line.remove(target)

    async def close(self) -> None:
        """Hang up."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _keep(self) -> None:
        try:
            while len(self._subscriptions):
                try:
                    await self._line.carry(self._subscriptions.states)
                except (Blocked, Lost) as error:
                    self.connection = "offline"
                    self._choose_line(error)
                    if len(self._subscriptions):
                        await self._wait(str(error))
        finally:
            self._task, self.connection = None, "offline"

    def _choose_line(self, error: Blocked | Lost) -> None:
        """The reason of the reconnect. Raises Unreachable where no answer came yet, or for too long."""
        now = asyncio.get_running_loop().time()
        self._lost_at = now if self._lost_at is None else self._lost_at
        if now - self._lost_at >= self._patience or (isinstance(error, Unanswered) and not self._was_there):
            raise Unreachable(self._http.base_url, str(error.__cause__ or error)) from error
        self._line = self._socket
        if isinstance(error, Blocked):
            self._blocked += 1
            if self._blocked == TRIES:
                self._line, self._blocked = self._stream, 0

    async def _wait(self, reason: str) -> None:
        seconds = delay(self._attempt, self._jitter())
        self._attempt += 1
        self.on_lost(reason, seconds)
        await asyncio.sleep(seconds)

    async def _heard(self, target: Target, frame: Frame) -> None:
        self.connection = self._line.name
        self._was_there, self._lost_at, self._attempt = True, None, 0
        anew = self._subscriptions.heard(target, frame)
        if anew is not None:
            await self._line.add(anew)
        await asyncio.sleep(0)  # a reader that keeps up sees each state, also when many frames came at once

    def _ended(self, task: asyncio.Task[None]) -> None:
        closed = Unreachable(self._http.base_url, "the client was closed")
        error = closed if task.cancelled() else task.exception()
        if error is not None:
            self._subscriptions.fail(error)
