"""Connections: addresses, event streams, and what ends one."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.support.gateway import GatewayProcess, Hand
from tests.support.websocket import closing, hear, new_id, said, say

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_address_of_a_document_subscribes_by_itself(gateway: GatewayProcess, hand: Hand) -> None:
    document_id = new_id()
    await hand.change(document_id, 1)
    url = gateway.live.replace("/live", f"/documents/{document_id}/live")
    async with connect(url) as live:
        assert said(await hear(live)) == ("snapshot", None, document_id, 1)
        await hand.delete(document_id, 2)
        assert said(await hear(live)) == ("deleted", None, document_id, 2)
        assert await closing(live, 30) == 4404
    for unknown in (new_id(), "nonsense"):
        async with connect(gateway.live.replace("/live", f"/documents/{unknown}/live")) as live:
            assert await closing(live, 30) == 4404


@pytest.mark.parametrize(
    "frame", ["", "no json", "[]", '{"op":"dance"}', b"\x00", '{"op":"subscribe"}', "x" * 20_000, "x" * 2**20]
)
async def test_a_bad_frame_ends_the_connection(live: ClientConnection, frame: str | bytes) -> None:
    await live.send(frame)
    assert await closing(live, 30) == 4400


async def test_a_flood_of_frames_ends_the_connection(live: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for _ in range(4_000):
            await say(live, "unsubscribe", 1, document_id="x")
    assert await closing(live, 30) == 4429


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


@pytest.mark.parametrize(
    "frame", ["no json", b"\x00", '{"op":"subscribe","document_id":"a","job_id":"b"}', "x" * 2**20]
)
async def test_a_bad_frame_ends_nobody_elses_subscription(
    gateway: GatewayProcess, live: ClientConnection, hand: Hand, frame: str | bytes
) -> None:
    document_id = new_id()
    await hand.change(document_id, 1)
    async with connect(gateway.live, compression=None) as beside:
        for one in (live, beside):
            await say(one, "subscribe", 1, document_id=document_id)
            await hear(one)
        await live.send(frame)
        assert await closing(live, 30) == 4400
        await hand.change(document_id, 2)
        assert said(await hear(beside)) == ("update", None, document_id, 2)


async def test_a_request_that_cannot_be_met_ends_no_other_subscription_of_its_socket(
    live: ClientConnection, hand: Hand
) -> None:
    document_id = new_id()
    await hand.change(document_id, 1)
    await say(live, "subscribe", 1, document_id=document_id)
    await hear(live)
    for wish in ({"document_id": "nonsense"}, {"feed": "gossip"}, {"job_id": "job-unknown"}):
        await say(live, "subscribe", 2, **wish)
        assert (await hear(live))["op"] == "error"
    await hand.change(document_id, 2)
    assert said(await hear(live)) == ("update", None, document_id, 2)


async def test_a_live_address_says_what_it_speaks(gateway: GatewayProcess, hand: Hand) -> None:
    document_id = new_id()
    await hand.change(document_id, 1)
    async with httpx.AsyncClient(base_url=gateway.url, timeout=10) as http:
        for path in ("/v1/live", f"/v1/documents/{document_id}/live"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
