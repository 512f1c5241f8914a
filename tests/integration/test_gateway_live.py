"""The gateway live: sockets, event streams, slow readers, restarts, new epochs. A process on a real broker."""

import asyncio
import contextlib
import json
import signal
import socket
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.integration.gateway_infra import GatewayProcess, Hand, environment_of, hand_of, infrastructure, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, str]]:
    async with infrastructure(tmp_path_factory.mktemp("stack")) as running:
        yield {
            **environment_of(running, tmp_path_factory.mktemp("gateway")),
            "PAGESTREAM_SUBSCRIPTIONS_PER_SOCKET": "5",
        }


@pytest_asyncio.fixture(loop_scope="module")
async def hand(environment: dict[str, str]) -> AsyncIterator[Hand]:
    async with hand_of(environment) as hand:
        yield hand


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(environment: dict[str, str], hand: Hand, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    async with serving(environment, tmp_path / "gateway.log") as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def live(gateway: GatewayProcess) -> AsyncIterator[ClientConnection]:
    async with connect(gateway.live, subprotocols=[Subprotocol("pagestream.v1")], compression=None) as live:
        yield live


async def say(live: ClientConnection, op: str, ref: int | None = None, **fields: Any) -> None:
    await live.send(json.dumps({"op": op, "ref": ref, **fields}))


async def hear(live: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        frame: dict[str, Any] = json.loads(await live.recv())
        return frame


async def closing(live: ClientConnection) -> int:
    """The close code, after whatever else comes before it."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(30):
            while True:
                await live.recv()
    return live.close_code or 0


def said(frame: dict[str, Any]) -> tuple[Any, ...]:
    return frame["op"], frame.get("ref"), frame.get("document_id"), frame.get("version")


def new_id() -> str:
    return str(uuid.uuid4())


async def test_a_watcher_gets_a_snapshot_then_every_change_and_the_end(live: ClientConnection, hand: Hand) -> None:
    document_id = new_id()
    view = await hand.change(document_id, 1)
    await say(live, "subscribe", 1, document_id=document_id)
    snapshot = await hear(live)
    assert live.subprotocol == "pagestream.v1"
    assert said(snapshot) == ("snapshot", 1, document_id, 1)
    assert snapshot["document"] == view
    view = await hand.change(document_id, 2)
    update = await hear(live)
    assert said(update) == ("update", None, document_id, 2)
    assert update["document"] == view
    await hand.delete(document_id, 3)
    assert said(await hear(live)) == ("deleted", None, document_id, 3)
    await say(live, "subscribe", 2, document_id=document_id)
    assert (await hear(live))["error"]["code"] == "document.not_found"


async def test_who_resumes_hears_that_nothing_was_missed_or_gets_a_snapshot(live: ClientConnection, hand: Hand) -> None:
    document_id = new_id()
    await hand.change(document_id, 7)
    await say(live, "subscribe", 1, document_id=document_id, have={"epoch": "g1", "version": 7})
    assert said(await hear(live)) == ("current", 1, document_id, 7)
    await say(live, "subscribe", 2, document_id=document_id, have={"epoch": "g1", "version": 6})
    assert said(await hear(live)) == ("snapshot", 2, document_id, 7)
    await say(live, "unsubscribe", 3, document_id=document_id)
    assert await hear(live) == {"op": "unsubscribed", "ref": 3}
    await hand.change(document_id, 8)
    await say(live, "unsubscribe", 4, document_id=document_id)
    assert (await hear(live))["ref"] == 4


async def test_old_and_repeated_updates_are_not_shown(live: ClientConnection, hand: Hand) -> None:
    document_id = new_id()
    old, new = await hand.put(document_id, 4), await hand.put(document_id, 5)
    await say(live, "subscribe", 1, document_id=document_id)
    assert said(await hear(live)) == ("snapshot", 1, document_id, 5)
    for view in (old, new, await hand.put(document_id, 6), new):
        await hand.publish(view)
    await hand.change(document_id, 7)
    assert [(await hear(live))["version"] for _ in range(2)] == [6, 7]


async def test_a_document_may_appear_up_to_two_seconds_after_it_was_asked_for(
    live: ClientConnection, hand: Hand
) -> None:
    document_id = new_id()
    await say(live, "subscribe", 1, document_id=document_id)
    await say(live, "subscribe", 2, document_id=new_id())
    await hand.change(document_id, 1)
    assert said(await hear(live)) == ("snapshot", 1, document_id, 1)
    refused = await hear(live)
    assert (refused["ref"], refused["error"]["code"]) == (2, "document.not_found")


async def test_another_tenants_document_and_its_changes_are_not_seen(live: ClientConnection, hand: Hand) -> None:
    document_id, own = new_id(), new_id()
    await hand.change(own, 1)
    await say(live, "subscribe", 1, feed="documents")
    assert [row["document_id"] for row in (await hear(live))["documents"]] == [own]
    await say(live, "subscribe", 2, document_id=document_id)
    await hand.publish(await hand.put(document_id, 1, tenant="other"), tenant="other")
    assert (await hear(live))["error"]["code"] == "document.not_found"
    await hand.publish(await hand.put(document_id, 2, tenant="other"), tenant="other")
    await hand.change(own, 2)
    assert (await hear(live))["document_id"] == own


async def test_the_feed_shows_rows_of_new_and_changed_documents(live: ClientConnection, hand: Hand) -> None:
    first, second = new_id(), new_id()
    await hand.change(first, 1)
    await say(live, "subscribe", 1, feed="documents")
    snapshot = await hear(live)
    assert (snapshot["op"], snapshot["ref"], snapshot["feed"]) == ("snapshot", 1, "documents")
    assert [row["document_id"] for row in snapshot["documents"]] == [first]
    assert "stages" not in snapshot["documents"][0]
    view = await hand.change(second, 1, filename="brand new.pdf")
    update = await hear(live)
    assert (update["feed"], *said(update)) == ("documents", "update", None, second, 1)
    assert update["document"] == {name: value for name, value in view.items() if name != "stages"}
    await hand.delete(second, 2)
    deleted = await hear(live)
    assert (deleted["feed"], *said(deleted)) == ("documents", "deleted", None, second, 2)
    await say(live, "subscribe", 2, feed="gossip")
    assert (await hear(live))["error"]["code"] == "feed.not_found"


async def test_a_new_epoch_starts_with_a_snapshot_for_everybody(live: ClientConnection, hand: Hand) -> None:
    quiet, busy = new_id(), new_id()
    for document_id in (quiet, busy):
        await hand.change(document_id, 900)
        await say(live, "subscribe", 1, document_id=document_id)
        await hear(live)
    await say(live, "subscribe", 3, feed="documents")
    await hear(live)
    await hand.begin("g2")
    await hand.put(quiet, 3)
    await hand.put(busy, 4)
    await hand.announce_epoch()
    frames = [await hear(live) for _ in range(3)]
    assert {frame["op"] for frame in frames} == {"snapshot"}
    assert {frame["epoch"] for frame in frames} == {"g2"}
    assert {frame["document_id"]: frame["version"] for frame in frames if "feed" not in frame} == {quiet: 3, busy: 4}
    await hand.change(busy, 5)
    assert {(await hear(live))["version"] for _ in range(2)} == {5}


async def test_a_lost_announcement_of_an_epoch_is_made_up_for_by_its_first_update(
    live: ClientConnection, hand: Hand
) -> None:
    document_id = new_id()
    await hand.put(document_id, 900)
    await say(live, "subscribe", 1, document_id=document_id)
    await hear(live)
    old = await hand.put(document_id, 901)
    await hand.begin("g2")
    await hand.change(document_id, 3)
    frame = await hear(live)
    assert (frame["op"], frame["epoch"], frame["version"]) == ("snapshot", "g2", 3)
    await hand.publish(old)
    await hand.change(document_id, 4)
    assert (await hear(live))["version"] == 4


async def test_the_address_of_a_document_subscribes_by_itself(gateway: GatewayProcess, hand: Hand) -> None:
    document_id = new_id()
    await hand.change(document_id, 1)
    url = gateway.live.replace("/live", f"/documents/{document_id}/live")
    async with connect(url) as live:
        assert said(await hear(live)) == ("snapshot", None, document_id, 1)
        await hand.delete(document_id, 2)
        assert said(await hear(live)) == ("deleted", None, document_id, 2)
        assert await closing(live) == 4404
    for unknown in (new_id(), "nonsense"):
        async with connect(gateway.live.replace("/live", f"/documents/{unknown}/live")) as live:
            assert await closing(live) == 4404


@pytest.mark.parametrize(
    "frame", ["", "no json", "[]", '{"op":"dance"}', b"\x00", '{"op":"subscribe"}', "x" * 20_000, "x" * 2**20]
)
async def test_a_bad_frame_ends_the_connection(live: ClientConnection, frame: str | bytes) -> None:
    await live.send(frame)
    assert await closing(live) == 4400


async def test_a_flood_of_frames_ends_the_connection(live: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for _ in range(4_000):
            await say(live, "unsubscribe", 1, document_id="x")
    assert await closing(live) == 4429


async def test_one_connection_carries_a_bounded_number_of_subscriptions(live: ClientConnection, hand: Hand) -> None:
    ids = [new_id() for _ in range(6)]
    for document_id in ids:
        await hand.put(document_id, 1)
        await say(live, "subscribe", 1, document_id=document_id)
    answers = [await hear(live) for _ in ids]
    assert sorted(answer["op"] for answer in answers) == ["error", *["snapshot"] * 5]
    assert [a["error"]["code"] for a in answers if a["op"] == "error"] == ["too_many_subscriptions"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_pages_of_other_origins_get_no_socket(gateway: GatewayProcess, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(gateway.live, origin=Origin(origin))
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["code"] == "foreign_origin"
    async with connect(gateway.live, origin=Origin(gateway.url)) as live:
        await say(live, "unsubscribe", 1, document_id="x")
        assert (await hear(live))["ref"] == 1


async def test_a_socket_elsewhere_is_not_found(gateway: GatewayProcess) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(gateway.live + "/elsewhere")
    assert refused.value.response.status_code == 404


async def events_of(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    position = ""
    async for line in response.aiter_lines():
        if line.startswith("id: "):
            position = line[4:]
        if line.startswith("data: "):
            yield position, json.loads(line[6:])


async def test_an_event_stream_says_the_same_and_resumes(gateway: GatewayProcess, hand: Hand) -> None:
    document_id = new_id()
    await hand.change(document_id, 1)
    path, headers = f"/v1/documents/{document_id}/live", {"Accept": "text/event-stream"}
    async with httpx.AsyncClient(base_url=gateway.url, timeout=10) as http:
        async with http.stream("GET", path, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            events = events_of(response)
            position, frame = await anext(events)
            assert (position, *said(frame)) == ("g1:1", "snapshot", None, document_id, 1)
            await hand.change(document_id, 2)
            position, frame = await anext(events)
            assert (position, *said(frame)) == ("g1:2", "update", None, document_id, 2)
            await events.aclose()  # type: ignore[attr-defined]
        async with http.stream("GET", path, headers={**headers, "Last-Event-ID": "g1:2"}) as response:
            events = events_of(response)
            assert (await anext(events))[1]["op"] == "current"
            await hand.delete(document_id, 3)
            assert [frame["op"] async for _, frame in events] == ["deleted"]  # and the stream has ended
        async with http.stream("GET", "/v1/live?feed=documents", headers=headers) as response:
            events = events_of(response)
            assert (await anext(events))[1]["feed"] == "documents"
            await events.aclose()  # type: ignore[attr-defined]
        gone = await http.get(path, headers=headers)
        assert (gone.status_code, gone.json()["code"]) == (404, "document.not_found")


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
        while loop.time() - started < 26:  # longer than a reader may stay behind
            version += 1
            sent = loop.time()
            await hand.publish({**view, "version": version})
            assert (await hear(reader))["version"] == version
            slowest = max(slowest, loop.time() - sent)
        assert slowest < 2
        assert resident(gateway.pid) < 200_000
    for one in stuck:
        one.transport.resume_reading()
        assert await closing(one) in (4408, 1006)  # 1006: it was cut off, since it did not take the goodbye


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
    assert {await closing(live) for live in sockets} == {1012}


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
        assert await closing(live) == 1006
    await hand.change(document_id, 2)
    await gateway.start()
    async with connect(gateway.live) as live:
        have = {"epoch": "g1", "version": 1}
        await say(live, "subscribe", 1, document_id=document_id, have=have)
        assert said(await hear(live)) == ("snapshot", 1, document_id, 2)
    assert await gateway.stop() == 0


async def test_ten_thousand_races_of_subscribe_and_change_end_at_the_last_version(
    gateway: GatewayProcess, hand: Hand
) -> None:
    document_id, last = new_id(), 200
    await hand.change(document_id, 1)
    done = asyncio.Event()

    async def watch() -> None:
        async with connect(gateway.live, compression=None) as live:
            version = 0
            for ref in range(200):
                await say(live, "subscribe", ref, document_id=document_id)
                answer = None
                while answer != ref:
                    frame = await hear(live)
                    assert frame["version"] >= version
                    version, answer = frame["version"], frame.get("ref", answer)
                if done.is_set() and version == last:
                    return
            while version < last:
                frame = await hear(live)
                assert frame["version"] > version
                version = frame["version"]

    async def change() -> None:
        for version in range(2, last + 1):
            await hand.change(document_id, version)
        done.set()

    await asyncio.gather(change(), *(watch() for _ in range(50)))
