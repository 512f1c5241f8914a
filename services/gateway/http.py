"""uvicorn's HTTP protocol with limits on the head of a request, which it reads before anything of ours sees it."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.gateway.answers import problem_answer
from services.gateway.problems import Problem

HEAD_BYTES: Final = 64 * 1024  # address and headers; tus puts the names of files into one
HEAD_SECONDS: Final = 30.0
_LINGER_SECONDS: Final = 1.0


class Http(HttpToolsProtocol):
    """Refuses a head that is too long or takes too long, and closes; as long as it waits for one it costs a socket."""

    _received: int | None = 0  # bytes of the head that is under way
    _heads = 0  # that have begun
    _refused = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection owes a head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._has_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, of a head not more than it may have, whatever comes at once."""
        while data and not self._refused and not self.transport.is_closing():
            if self.transport.get_protocol() is not self:  # it is a WebSocket from here on
                self.transport.get_protocol().data_received(data)  # type: ignore[attr-defined]
                return
            heads, part = self._heads, data if self._received is None else data[: HEAD_BYTES - self._received]
            super().data_received(part)
            data = data[len(part) :]
            if self._received is not None and heads == self._heads:
                self._received += len(part)
                if self._received >= HEAD_BYTES:
                    self._refuse(Problem("head_too_large", limit=f"{HEAD_BYTES:,} bytes"))

    def on_message_begin(self) -> None:
        """The head of another request on the same connection."""
        super().on_message_begin()
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """From here on the request is the application's."""
        self._has_head()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._received = 0
        self._heads += 1
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _too_late(self) -> None:
        if self._received or self._heads > 1:
            self._refuse(Problem("head_too_late", seconds=f"{HEAD_SECONDS:g}"))
        else:  # browsers open connections in advance, and have asked nothing that could be answered
            self.transport.close()

    def _has_head(self) -> None:
        self._received = None
        if self._deadline:
            self._deadline.cancel()
        self._deadline = None

    def _refuse(self, problem: Problem) -> None:
        self._has_head()
        self._refused = True
        answer = problem_answer(problem)
        headers: list[tuple[bytes, bytes]] = [*answer.raw_headers, (b"connection", b"close")]
        status = f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}".encode()
        lines: list[Any] = [status, *(name + b": " + value for name, value in headers), b"", answer.body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.write_eof()
        # Closed at once, what is still on its way here would take the answer from whoever sends it.
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)
