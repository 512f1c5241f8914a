"""The socket of a watcher: one connection, many documents, and back again after every loss."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final, Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from cli.backoff import delay
from cli.frames import Frame, Watched, reduce
from cli.refusals import Refused, Unreachable, from_close, from_error_frame, from_problem

PROTOCOL: Final = Subprotocol("pagestream.v1")
PING_EVERY: Final = 20.0  # seconds, as the gateway does
SILENCE: Final = 45.0  # seconds without a sign of life before the connection counts as lost (DESIGN §8)
PATIENCE: Final = 60.0  # seconds without a connection before a watcher that once had one gives up

OnLost = Callable[[str, float], None]


def ignore_loss(reason: str, wait: float) -> None:
    """An `OnLost` for those who only want frames."""


class Live:
    """Watches until every document has ended.

    `on_lost(reason, seconds)` is told of each lost connection and the wait before the next try; `jitter` draws from
    [0, 1). Raises `Unreachable` at once where nobody answers the first time, later after PATIENCE; `Refused` where
    coming back would change nothing.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        loopback: bool,
        on_lost: OnLost = ignore_loss,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._proxy: Literal[True] | None = None if loopback else True
        self._on_lost = on_lost
        self._jitter = jitter
        self._watched = Watched.start(())
        self._heard_at: float | None = None
        self._attempt = 0

    async def frames(self, watched: Watched) -> AsyncGenerator[Frame, None]:
        """Every frame that says something new, until `watched` has no open document."""
        self._watched = watched
        while self._watched.open:
            try:
                async with self._connect() as socket:
                    self._heard_at = asyncio.get_running_loop().time()
                    async with aclosing(self._session(socket)) as session:
                        async for frame in session:
                            yield frame
                reason = _closing(socket) if self._watched.open else ""
            except (OSError, EOFError, TimeoutError, InvalidHandshake) as error:
                reason = self._unanswered(error)
            if self._watched.open:
                await self._wait(reason)

    def _connect(self) -> connect:
        return connect(
            "ws" + self._url.removeprefix("http") + "/v1/live",
            subprotocols=[PROTOCOL],
            additional_headers=self._headers,
            compression=None,
            proxy=self._proxy,
            ping_interval=PING_EVERY,
            ping_timeout=SILENCE - PING_EVERY,
            close_timeout=2.0,
            max_size=4 * 2**20,
        )

    async def _session(self, socket: ClientConnection) -> AsyncGenerator[Frame, None]:
        """One connection's news; ends when the connection does or nothing is left to watch."""
        try:
            for subscription in self._watched.subscriptions():
                await socket.send(json.dumps(subscription))
            async for raw in socket:
                self._heard_at, self._attempt = asyncio.get_running_loop().time(), 0
                frame: Frame = json.loads(raw)
                self._watched, shown = reduce(self._watched, frame)
                if shown is not None:
                    yield shown
                elif frame.get("op") == "error":
                    raise from_error_frame(frame["error"])
                if not self._watched.open:
                    return
        except ConnectionClosed:
            return  # the close code says what to do: `_closing`

    def _unanswered(self, error: Exception) -> str:
        """Why the handshake failed, in words; raises where trying again is pointless or has lasted long enough."""
        if isinstance(error, InvalidStatus):
            status = error.response.status_code
            if status < 500 and status != 429:
                raise _refusal(status, error.response.body) from error
        patient = self._heard_at is not None and asyncio.get_running_loop().time() - self._heard_at < PATIENCE
        if not patient:
            raise Unreachable(self._url, str(error)) from error
        return "Pagestream does not answer"

    async def _wait(self, reason: str) -> None:
        seconds = delay(self._attempt, self._jitter())
        self._attempt += 1
        self._on_lost(reason, seconds)
        await asyncio.sleep(seconds)


def _closing(socket: ClientConnection) -> str:
    """Why the connection ended, in words; raises `Refused` for a close code that is final."""
    code = socket.close_code or 1006
    refused = from_close(code)
    if refused is not None:
        raise refused
    return {1012: "Pagestream restarts", 4408: "this connection was too slow"}.get(code, "the connection was lost")


def _refusal(status: int, body: bytes | bytearray | None) -> Refused:
    try:
        return from_problem(status, json.loads(body or b"{}"))
    except ValueError:
        return from_problem(status, None)
