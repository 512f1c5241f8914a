"""A reader that never reads, and asks for more and more."""

import asyncio
import time
import uuid
from pathlib import Path

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.gateway import GatewayProcess, Hand

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS, ASKED = 150, 90  # of a list whose snapshot is some 100 KB: 9 MB in all


def resident(pid: int) -> int:
    """The bytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def test_lists_that_are_asked_for_and_never_read_are_not_kept(
    gateway: GatewayProcess, http: httpx.AsyncClient, hand: Hand
) -> None:
    for _ in range(ROWS):
        await hand.put(str(uuid.uuid4()), 1, filename="x" * 200)
    assert len((await http.get("/v1/documents?limit=150")).content) > 60_000
    before = resident(gateway.pid)
    async with connect(gateway.live, subprotocols=[Subprotocol("pagestream.v1")], max_queue=1) as deaf:
        deaf.transport.pause_reading()
        for ref in range(ASKED):
            await deaf.send(orjson.dumps({"op": "subscribe", "ref": ref, "feed": "documents"}).decode())
        slowest = 0.0
        for _ in range(50):
            began = time.monotonic()
            assert (await http.get("/healthz")).status_code == 200
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(0.02)
        assert resident(gateway.pid) - before < 8 * 1024 * 1024
        assert slowest < 0.5
        deaf.transport.resume_reading()
        answered = set[str]()
        while len(answered) < ASKED:  # who reads in the end has an answer to each
            answered.add(orjson.loads(await asyncio.wait_for(deaf.recv(), 30)).get("ref"))
