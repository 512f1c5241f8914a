"""The heads of requests at a real server: what is too long or too slow is refused before the application sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import orjson
import pytest
import uvicorn

from services.gateway.auth.limits import Allotment
from services.gateway.http import uvicorn_protocol

LARGE = 32 * 1024 * 1024  # more than the kernel's buffers hold
ANSWERED = b"HTTP/1.1 204 No Content"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Read the body to its end, but for one address, and answer 204."""
    while scope["path"] != "/at-once" and (await receive()).get("more_body"):
        pass
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": bytes(LARGE)})
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


Connect = Callable[[], Any]


@pytest.fixture
def waiting() -> Allotment:
    """How many connections may wait."""
    return Allotment("too_many_connections", 3)


@pytest.fixture
async def connect(waiting: Allotment) -> AsyncIterator[Connect]:
    """Opens a connection to a server with the gateway's protocol: a reader and a writer."""
    protocol: Any = partial(uvicorn_protocol.Http, waiting=waiting)
    server = uvicorn.Server(uvicorn.Config(application, port=0, http=protocol, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    @asynccontextmanager
    async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.close()

    async with asyncio.timeout(20):
        yield connection
    server.should_exit = True
    await serving


def problem_in(answer: bytes) -> tuple[bytes, str]:
    """The status line of an answer and the code of the problem in it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.splitlines()[0], orjson.loads(body)["code"]


async def test_a_head_that_never_ends_is_refused_and_the_connection_closed(connect: Connect) -> None:
    async with connect() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nX-Endless: ")
        for _ in range(uvicorn_protocol.HEAD_BYTES // 1024 + 1):
            writer.write(b"x" * 1024)
        assert problem_in(await reader.read()) == (b"HTTP/1.1 431 Request Header Fields Too Large", "head_too_large")


async def test_a_head_that_comes_whole_at_once_is_held_to_the_same(connect: Connect) -> None:
    async with connect() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * 2 * uvicorn_protocol.HEAD_BYTES + b"\r\n\r\n")
        assert problem_in(await reader.read())[1] == "head_too_large"


async def test_requests_that_come_together_are_answered_one_by_one(connect: Connect) -> None:
    size = uvicorn_protocol.HEAD_BYTES - 100
    request = f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size)
    async with connect() as (reader, writer):
        writer.write(request * 5)
        for _ in range(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(ANSWERED)


async def test_an_address_counts_as_well(connect: Connect) -> None:
    async with connect() as (reader, writer):
        writer.write(b"GET /" + b"x" * uvicorn_protocol.HEAD_BYTES)
        assert problem_in(await reader.read())[1] == "head_too_large"


async def test_a_body_is_no_head_and_each_request_has_its_own(connect: Connect) -> None:
    async with connect() as (reader, writer):
        size = 3 * uvicorn_protocol.HEAD_BYTES
        for _ in range(3):
            writer.write(f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(ANSWERED)
            writer.write(
                b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * (uvicorn_protocol.HEAD_BYTES // 2) + b"\r\n\r\n"
            )
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(ANSWERED)


@pytest.mark.parametrize("sent", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: "])
async def test_who_does_not_come_to_the_end_of_the_head_is_not_waited_for(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(uvicorn_protocol, "HEAD_SECONDS", 0.3)
    async with connect() as (reader, writer):
        writer.write(sent)
        assert problem_in(await reader.read()) == (b"HTTP/1.1 408 Request Timeout", "head_too_late")


async def test_a_connection_without_a_request_is_closed_without_a_word(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_protocol, "HEAD_SECONDS", 0.3)
    async with connect() as (reader, _):
        assert await reader.read() == b""


async def test_a_second_head_is_waited_for_no_longer_than_the_first(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(ANSWERED)
        monkeypatch.setattr(uvicorn_protocol, "HEAD_SECONDS", 0.3)
        writer.write(b"GET / HTTP/1.1\r\nHost: ")
        assert problem_in(await reader.read())[1] == "head_too_late"


async def test_a_long_answer_is_not_cut_off(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_protocol, "HEAD_SECONDS", 0.3)
    async with connect() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
        await asyncio.sleep(0.6)
        writer.write(b"b")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(ANSWERED)


async def test_who_only_opens_connections_has_a_bounded_number_of_them(connect: Connect) -> None:
    async with AsyncExitStack() as opened:
        held = [await opened.enter_async_context(connect()) for _ in range(3)]
        async with connect() as (reader, _):
            assert problem_in(await reader.read()) == (b"HTTP/1.1 429 Too Many Requests", "too_many_connections")
        _, writer = held[0]
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")  # asks, and counts no longer
        await asyncio.sleep(0.1)
        async with connect() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await reader.readline()).strip() == ANSWERED
    await asyncio.sleep(0.1)
    async with connect() as (reader, writer):  # all places are free again
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await reader.readline()).strip() == ANSWERED


async def test_the_rest_of_a_request_that_is_answered_already_has_its_time(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_protocol, "HEAD_SECONDS", 0.3)
    async with connect() as (reader, writer):
        writer.write(b"POST /at-once HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
        assert (await reader.readline()).strip() == ANSWERED
        dripping = asyncio.create_task(drip(writer))
        with suppress(ConnectionError):  # what is on its way when it closes resets it
            async with asyncio.timeout(5):
                await reader.read()  # to the end of the connection
        dripping.cancel()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte now and then."""
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def test_an_answer_that_nobody_reads_is_not_kept(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_protocol, "READER_SECONDS", 0.2)
    async with connect() as (reader, writer):
        writer.transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.sleep(1)
        writer.transport.resume_reading()
        with suppress(ConnectionError):
            assert len(await reader.read()) < LARGE


async def test_who_reads_slowly_gets_the_whole_answer(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_protocol, "READER_SECONDS", 0.2)
    async with connect() as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        left = LARGE
        while left:
            data = await reader.read(LARGE // 20)
            assert data
            left -= len(data)
            await asyncio.sleep(0.005)
