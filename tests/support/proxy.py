"""A TCP proxy between the broker and everybody else, which can stop passing bytes or cut every connection."""

import asyncio
import socket
import struct
from typing import Final, Literal

Mode = Literal["pass", "black hole", "reset"]

HOST: Final = "127.0.0.1"

_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


class Proxy:
    """Listens on `port` of the loopback address and passes everything on to `upstream`, as long as `mode` says so."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port = port
        self.upstream = upstream
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._mode: Mode = "pass"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        await self.set("reset")
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def set(self, mode: Mode) -> None:
        """Pass; swallow nothing and answer nothing; or cut what is there and whatever comes."""
        self._mode = mode
        if mode == "black hole":
            self._passing.clear()
        else:
            self._passing.set()
        if mode == "reset":
            for writer in list(self._writers):
                _cut(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "reset":
            _cut(writer)
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(HOST, self.upstream)
        except OSError:
            _cut(writer)
            return
        both = {writer, up_writer}
        self._writers |= both
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, up_writer))
                pumps.create_task(self._pump(up_reader, writer))
        finally:
            self._writers -= both
            for one in both:
                one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


def _cut(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()
