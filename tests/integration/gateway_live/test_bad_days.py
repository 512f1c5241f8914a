"""Readers that never read, gateways that are restarted or killed."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.gateway import GatewayProcess, Hand
from tests.support.websocket import closing, hear, new_id, said, say

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def connect_without_reading(gateway: GatewayProcess) -> ClientConnection:
    """A client whose buffers are as small as can be and that does not read."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.connect(("127.0.0.1", gateway.port))
    plain.setblocking(False)
    client = await connect(gateway.live, sock=plain, ping_interval=None, compression=None)
    client.transport.pause_reading()
    return client


def resident(pid: int) -> int:
    """kB in memory."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


async def test_who_never_reads_is_let_go_and_holds_up_nobody(gateway: GatewayProcess, hand: Hand) -> None:
    """Fat views fill the buffers of 20 sockets that never read; beside them one that reads sees every version."""
    document_id = new_id()
    subscribe = json.dumps({"op": "subscribe", "document_id": document_id})
    view = await hand.put(document_id, 1, message={"text": "x" * 30_000})
    stuck = [await connect_without_reading(gateway) for _ in range(20)]
    for one in stuck:
        await one.send(subscribe)
    async with connect(gateway.live, compression=None) as reader:
        await say(reader, "subscribe", 1, document_id=document_id)
        await hear(reader)
        version, loop = 1, asyncio.get_running_loop()
        slowest, started = 0.0, loop.time()
        goodbye: asyncio.Task[int | None] | None = None
        while loop.time() - started < 26:  # longer than a reader may stay behind
            if goodbye is None and loop.time() - started > 23.5:  # it is let go, and not cut off yet: it reads again
                awake = stuck.pop()
                awake.transport.resume_reading()
                goodbye = asyncio.create_task(closing(awake, 30))
            version += 1
            sent = loop.time()
            await hand.publish({**view, "version": version})
            assert (await hear(reader))["version"] == version
            slowest = max(slowest, loop.time() - sent)
            await asyncio.sleep(0.05)
        assert slowest < 2
        assert resident(gateway.pid) < 200_000
        assert goodbye
        assert await goodbye == 4408
    for one in stuck:
        one.transport.resume_reading()
        assert await closing(one, 30) in (4408, 1006)  # 1006: it was cut off, since it did not take the goodbye


async def test_a_restart_says_goodbye_with_1012_and_ends_with_code_0(
    environment: dict[str, str], hand: Hand, tmp_path: Path
) -> None:
    gateway = GatewayProcess(environment, tmp_path / "gateway.log")
    await gateway.start()
    document_id = new_id()
    await hand.change(document_id, 1)
    sockets = [await connect(gateway.live) for _ in range(50)]
    for live in sockets:
        await say(live, "subscribe", 1, document_id=document_id)
        await hear(live)
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        poll = asyncio.create_task(http.get(f"/v1/documents/{document_id}?wait=25&since=g1:1"))
        listening = asyncio.create_task(
            http.get(f"/v1/documents/{document_id}/live", headers={"Accept": "text/event-stream"})
        )
        await asyncio.sleep(0.2)
        assert await gateway.stop(signal.SIGTERM) == 0
        assert (await poll).json()["version"] == 1
        assert "snapshot" in (await listening).text
    assert {await closing(live, 30) for live in sockets} == {1012}


async def test_a_killed_gateway_loses_nothing_for_those_who_come_back(
    environment: dict[str, str], hand: Hand, tmp_path: Path
) -> None:
    gateway = GatewayProcess(environment, tmp_path / "gateway.log")
    await gateway.start()
    document_id = new_id()
    await hand.change(document_id, 1)
    async with connect(gateway.live) as live:
        await say(live, "subscribe", 1, document_id=document_id)
        await hear(live)
        await gateway.stop(signal.SIGKILL)
        assert await closing(live, 30) == 1006
    await hand.change(document_id, 2)
    await gateway.start()
    async with connect(gateway.live) as live:
        have = {"epoch": "g1", "version": 1}
        await say(live, "subscribe", 1, document_id=document_id, have=have)
        assert said(await hear(live)) == ("snapshot", 1, document_id, 2)
    assert await gateway.stop() == 0


async def test_a_gateway_killed_under_a_thousand_sockets_is_found_again_without_a_stampede_on_the_database(
    environment: dict[str, str], hand: Hand, tmp_path: Path
) -> None:
    gateway = GatewayProcess(environment, tmp_path / "gateway.log")
    ids = [new_id() for _ in range(100)]

    async def watch(document_id: str, have: int) -> ClientConnection:
        live = await connect(gateway.live, compression=None, open_timeout=60, ping_interval=None)
        about = {"document_id": document_id, "have": {"epoch": hand.generation, "version": have}}
        await say(live, "subscribe", 1, **about)
        assert said(await hear(live, within=60)) == ("snapshot", 1, document_id, have + 1)
        return live

    async def everybody(have: int) -> list[ClientConnection]:
        """Ten sockets for each document, all at once."""
        for document_id in ids:
            await hand.put(document_id, have + 1)
        before = await queries(hand)
        await gateway.start()
        sockets = await asyncio.gather(*(watch(document_id, have) for document_id in ids * 10))
        assert await queries(hand) - before < len(ids) * 2
        return sockets

    first = await everybody(have=1)
    await gateway.stop(signal.SIGKILL)
    assert {await closing(live, 60) for live in first} == {1006}
    again = await everybody(have=2)
    for document_id in ids:
        await hand.change(document_id, 4, status="completed")
    ends = [await hear(live, within=60) for live in again]
    assert {(end["version"], end["document"]["status"]) for end in ends} == {(4, "completed")}
    assert await gateway.stop() == 0
    await asyncio.gather(*(live.close() for live in again))


async def queries(hand: Hand) -> int:
    """What the database was asked since it was started."""
    return int((await hand.mongo.client.admin.command("serverStatus"))["opcounters"]["query"])
