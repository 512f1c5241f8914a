"""uvicorn's HTTP protocol with limits on what it reads before anything of ours sees it, and on who only waits."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.gateway.auth.limits import Allotment, address_of
from services.gateway.http.responses import problem_answer
from services.gateway.problems import Problem

HEAD_BYTES: Final = 64 * 1024  # address and headers; tus puts the names of files into one
HEAD_SECONDS: Final = 30.0
READER_SECONDS: Final = 30.0  # in which a reader takes something of an answer that waits for it
_LINGER_SECONDS: Final = 1.0


class Http(HttpToolsProtocol):
    """Refuses a head that is too long or takes too long, and closes; as long as it waits for one it costs a socket."""

    _received: int | None = 0  # bytes of the head that is under way
    _heads = 0  # that have begun
    _refused = False
    _deadline: asyncio.TimerHandle | None = None
    _is_whole = True  # the request that came last
    _unwanted: asyncio.TimerHandle | None = None  # until when the rest of an answered request may come
    _unread: asyncio.TimerHandle | None = None
    _waits = False  # whether this connection counts as one that asks nothing

    def __init__(self, *args: Any, waiting: Allotment, **named: Any) -> None:
        """`waiting`: how many connections an address may have on which no request is being answered."""
        super().__init__(*args, **named)
        self._waiting = waiting

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection owes a head."""
        super().connection_made(transport)
        self._await_head()
        if refusal := self._counts(waits=True):
            self._refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        """No request is waited for any more."""
        self._has_head()
        self._end_unwanted()
        self._end_unread()
        self._counts(waits=False)
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
        self._end_unwanted()
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """From here on the request is the application's."""
        self._has_head()
        self._is_whole = False
        self._counts(waits=False)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._is_whole = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Answered, perhaps before its body arrived: a body that is not needed has a deadline too."""
        super().on_response_complete()
        if not self.cycle.response_complete or self.transport.is_closing():
            return
        if self._counts(waits=True):
            self.transport.close()
        elif not self._is_whole:
            self._unwanted = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def pause_writing(self) -> None:
        """More is written than the kernel takes: it is in our memory until the reader has taken it."""
        super().pause_writing()
        self._watch_reader(None)

    def resume_writing(self) -> None:
        """The reader takes what is written."""
        self._end_unread()
        super().resume_writing()

    def _watch_reader(self, left: int | None) -> None:
        """Cut off a reader that has taken nothing since `left` bytes waited for it."""
        waits = self.transport.get_write_buffer_size()
        if left is not None and waits >= left:
            self.transport.abort()
        else:
            self._unread = self.loop.call_later(READER_SECONDS, self._watch_reader, waits)

    def _end_unread(self) -> None:
        if self._unread:
            self._unread.cancel()
        self._unread = None

    def _counts(self, *, waits: bool) -> Problem | None:
        """Count this connection among those that ask nothing, or no longer; the refusal where they are too many."""
        if waits != self._waits:
            address = address_of(self.client[0]) if self.client else ""
            try:
                self._waiting.take((address,), 1 if waits else -1)
            except Problem as refusal:
                return refusal
            self._waits = waits
        return None

    def _end_unwanted(self) -> None:
        if self._unwanted:
            self._unwanted.cancel()
        self._unwanted = None

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
        # Closed at once, what is still on its way here would take the answer from the client that sends it.
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)
