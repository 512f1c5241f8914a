"""Frames over a WebSocket: one connection for everything that is followed."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from pagestream.http import is_loopback
from pagestream.protocol import Frame, State, Target, subscription, target_of
from pagestream.refusals import Blocked, Lost, Unanswered, from_close, from_error_frame, from_problem

PROTOCOL: Final = Subprotocol("pagestream.v1")
PING_EVERY: Final = 20.0  # seconds, as the gateway does
SILENCE: Final = 45.0  # seconds without a sign of life before the connection counts as lost (docs/protocol.md)
FIRST_FRAME: Final = 5.0  # seconds; the gateway answers a subscription within 2

OnFrame = Callable[[Target, Frame], Awaitable[None]]
States = Callable[[], Sequence[State]]


class SocketLine:
    """One connection. `on_frame(target, frame)` gets whatever is about a target."""

    name: Final = "websocket"

    def __init__(self, url: str, headers: Mapping[str, str], on_frame: OnFrame) -> None:
        self._url = url
        self._headers = dict(headers)
        self._on_frame = on_frame
        self._socket: ClientConnection | None = None
        self._asked: dict[int, Target] = {}
        self._ref = 0

    async def carry(self, states: States) -> None:
        """Subscribe to all `states` there are once connected, and pass frames on until the connection ends.

        Raises Lost when it does, Blocked where no WebSocket gets through, Refused where coming back changes nothing.
        """
        try:
            async with self._connection() as self._socket:
                self._asked, self._ref = {}, 0
                for state in states():
                    await self.add(state)
                await self._listen(self._socket)
        except ConnectionClosed:
            raise _ending(self._socket) from None
        except InvalidStatus as error:
            raise _handshake(error) from error
        except (EOFError, InvalidHandshake) as error:
            raise Blocked(str(error)) from error
        except (OSError, TimeoutError) as error:
            raise Unanswered() from error
        finally:
            self._socket = None

    async def add(self, state: State) -> None:
        """Subscribe, at once or never: a line that is not there yet subscribes to everything when it is."""
        ref = self._next_ref()
        self._asked[ref] = state.target
        await self._send(subscription(state, ref))

    async def remove(self, target: Target) -> None:
        """Unsubscribe."""
        await self._send({"op": "unsubscribe", "ref": self._next_ref(), **target.fields})

    def _next_ref(self) -> int:
        self._ref += 1
        return self._ref - 1

    def _connection(self) -> connect:
        proxy: Literal[True] | None = None if is_loopback(self._url) else True
        return connect(
            "ws" + self._url.removeprefix("http") + "/v1/live",
            subprotocols=[PROTOCOL],
            additional_headers=self._headers,
            compression=None,
            proxy=proxy,
            ping_interval=PING_EVERY,
            ping_timeout=SILENCE - PING_EVERY,
            close_timeout=2.0,
            max_size=4 * 2**20,
        )

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            async with asyncio.timeout(FIRST_FRAME):
                await self._hear(await socket.recv())
        except TimeoutError:
            raise Blocked("a WebSocket opens, and nothing comes through it") from None
        while True:
            await self._hear(await socket.recv())

    async def _hear(self, raw: str | bytes) -> None:
        frame: Frame = json.loads(raw)
        asked = self._asked.pop(frame.get("ref", -1), None)
        target = asked or target_of(frame)
        if target is not None:
            await self._on_frame(target, frame)
        elif frame.get("op") == "error":
            raise from_error_frame(frame["error"])

    async def _send(self, frame: Frame) -> None:
        if self._socket is not None:
            try:
                await self._socket.send(json.dumps(frame))
            except ConnectionClosed:
                return  # who listens learns of it and why


def _ending(socket: ClientConnection | None) -> Exception:
    """What the close code means."""
    code = (socket.close_code if socket else None) or 1006
    words = {1012: "Pagestream restarts", 4408: "this connection was too slow"}
    return from_close(code) or Lost(words.get(code, "the connection was lost"))


def _handshake(error: InvalidStatus) -> Exception:
    """A refusal in Pagestream's own words, or something in between that knows no WebSockets."""
    status = error.response.status_code
    try:
        body = json.loads(error.response.body or b"")
    except ValueError:
        body = None
    if status == 429 or status >= 500:
        return Unanswered()
    return from_problem(status, body) if isinstance(body, dict) and "code" in body else Blocked(f"status {status}")
