"""The body of an upload that comes too slowly, by a clock that runs as fast as the test likes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import ClientDisconnect

from services.gateway.auth.limits import BodyPace
from services.gateway.problems import Problem
from services.gateway.uploads import incoming_body
from services.gateway.uploads.incoming_body import paced
from services.gateway.uploads.resumable import Body

PACE = BodyPace(bytes_per_second=1_000, seconds=2.0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming_body, "_WINDOW_SECONDS", 0.1)
    monkeypatch.setattr(incoming_body, "_SILENCE_SECONDS", 0.5)


async def body(chunk: bytes, every: float) -> AsyncIterator[bytes]:
    while True:
        await asyncio.sleep(every)
        yield chunk


async def read(chunks: AsyncIterator[bytes], pause: float = 0.0, most: int = 1_000) -> int:
    size = 0
    async for chunk in paced(chunks, lambda _: None, PACE):
        size += len(chunk)
        await asyncio.sleep(pause)
        most -= 1
        if not most:
            break
    return size


async def test_a_sender_that_drips_is_let_go_within_the_window() -> None:
    with pytest.raises(Problem) as refused:
        await asyncio.wait_for(read(body(b"x", 0.03)), 2)
    assert (refused.value.status, refused.value.code) == (408, "upload.too_slow")


async def test_a_sender_that_never_ends_is_let_go() -> None:
    with pytest.raises(Problem) as refused:
        await asyncio.wait_for(read(body(b"x" * 1_000, 0.05)), 5)
    assert (refused.value.status, refused.value.code) == (408, "upload.took_too_long")


async def test_a_silent_sender_is_taken_for_gone() -> None:
    with pytest.raises(ClientDisconnect):
        await asyncio.wait_for(read(body(b"x" * 100_000, 60)), 3)


async def test_time_in_which_the_sender_waits_for_us_does_not_count() -> None:
    assert await read(body(b"x" * 100, 0.001), pause=0.15, most=20) == 2_000


async def test_of_a_resumable_upload_that_is_too_slow_what_has_arrived_counts() -> None:
    arrived = Body(paced(body(b"xy", 0.03), lambda _: None, PACE), limit=1_000, checksum=None)
    kept = b""
    while data := await asyncio.wait_for(arrived.read(), 2):
        kept += data
    assert kept
    assert arrived.refusal is not None
    assert arrived.refusal.code == "upload.too_slow"
    assert await arrived.read() == b""
