"""Batches and tags: said at the upload, watched as one, filtered in the list. A gateway on a real broker."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect

from shared.storage import blob_names
from shared.storage.blobs import Blobs
from tests.support.gateway import GatewayProcess, Hand
from tests.support.uploads import new_pdf
from tests.support.websocket import hear

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def live(gateway: GatewayProcess) -> AsyncIterator[ClientConnection]:
    async with connect(gateway.live, compression=None) as live:
        yield live


async def subscribe(live: ClientConnection, batch: str) -> dict[str, Any]:
    await live.send(json.dumps({"op": "subscribe", "ref": 1, "feed": "batch", "batch": batch}))
    return await hear(live)


def together(frame: dict[str, Any]) -> tuple[Any, ...]:
    progress = frame["progress"]
    return progress["status"], progress["percent"], progress["done"], progress["failed"], progress["total"]


def names() -> tuple[str, str, str]:
    """A batch and two documents."""
    return f"May {uuid.uuid4().hex[:6]}", str(uuid.uuid4()), str(uuid.uuid4())


async def test_batch_and_tags_go_with_the_upload(http: httpx.AsyncClient, environment: dict[str, str]) -> None:
    query = [("batch", " May "), ("tag", "rent"), ("tag", "Köln"), ("tag", "rent")]
    document_id = (await http.post("/v1/documents", content=new_pdf(), params=query)).json()["document_id"]
    meta = await Blobs.open(environment["PAGESTREAM_STORE"]).get_result(blob_names.meta("default", document_id))
    assert (meta["batch"], meta["tags"]) == ("May", ["rent", "Köln"])


@pytest.mark.parametrize(
    "query", [{"batch": " "}, {"batch": "a\nb"}, {"tag": ""}, {"tag": [str(n) for n in range(17)]}]
)
async def test_a_batch_or_tag_that_nobody_could_read_is_refused(http: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await http.post("/v1/documents", content=new_pdf(), params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_a_batch_is_watched_as_one(live: ClientConnection, hand: Hand) -> None:
    batch, one, two = names()
    await hand.put(one, 1_000_000, batch=batch, percent=20.0)
    await hand.put(str(uuid.uuid4()), 1_000_000, batch="another")
    snapshot = await subscribe(live, batch)
    assert (snapshot["op"], snapshot["ref"], snapshot["feed"], snapshot["batch"]) == ("snapshot", 1, "batch", batch)
    assert [row["document_id"] for row in snapshot["documents"]] == [one]
    assert together(snapshot) == ("processing", 20.0, 0, 0, 1)
    await hand.change(two, 1_000_000, batch=batch, percent=0.0, status="uploaded")
    added = await hear(live)
    assert (added["op"], added["feed"], added["document_id"]) == ("update", "batch", two)
    assert (added["document"]["batch"], "stages" in added["document"]) == (batch, False)
    assert together(added) == ("processing", 10.0, 0, 0, 2)
    await hand.change(str(uuid.uuid4()), 1_000_000, batch="another")
    await hand.change(one, 2_000_000, batch=batch, percent=100.0, status="completed")
    assert together(await hear(live)) == ("processing", 50.0, 1, 0, 2)
    await hand.change(two, 2_000_000, batch=batch, percent=30.0, status="failed")
    assert together(await hear(live)) == ("failed", 100.0, 1, 1, 2)
    await hand.delete(two, 3_000_000)
    gone = await hear(live)
    assert (gone["op"], gone["feed"], gone["document_id"]) == ("deleted", "batch", two)
    assert together(gone) == ("completed", 100.0, 1, 0, 1)


async def test_who_stops_watching_a_batch_hears_no_more_of_it(live: ClientConnection, hand: Hand) -> None:
    batch, one, two = names()
    await subscribe(live, batch)
    await live.send(json.dumps({"op": "unsubscribe", "ref": 2, "feed": "batch", "batch": batch}))
    assert (await hear(live)) == {"op": "unsubscribed", "ref": 2}
    await hand.change(one, 1_000_000, batch=batch)
    other = names()[0]
    await subscribe(live, other)
    await hand.change(two, 1_000_000, batch=other)
    assert (await hear(live))["document_id"] == two


async def test_a_batch_comes_as_an_event_stream_too(http: httpx.AsyncClient, hand: Hand) -> None:
    batch, one, _ = names()
    await hand.put(one, 1_000_000, batch=batch, percent=40.0)
    query = {"feed": "batch", "batch": batch}
    async with http.stream("GET", "/v1/live", params=query, headers={"accept": "text/event-stream"}) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                assert together(json.loads(line.removeprefix("data: "))) == ("processing", 40.0, 0, 0, 1)
                break


async def test_a_new_epoch_shows_the_batch_anew(live: ClientConnection, hand: Hand) -> None:
    batch, one, two = names()
    await hand.put(one, 5_000_000, batch=batch, percent=40.0)
    await hand.put(two, 5_000_000, batch=batch, percent=40.0)
    assert together(await subscribe(live, batch)) == ("processing", 40.0, 0, 0, 2)
    await hand.begin("g2")
    await hand.put(one, 1_000_000, batch=batch, percent=10.0)
    await hand.announce_epoch()
    frame = await hear(live)
    assert (frame["op"], frame["epoch"], together(frame)) == ("snapshot", "g2", ("processing", 10.0, 0, 0, 1))


async def test_the_list_is_filtered_by_batch_and_by_tags(http: httpx.AsyncClient, hand: Hand) -> None:
    batch, one, two = names()
    await hand.put(one, 1_000_000, batch=batch, tags=["rent", "köln"])
    await hand.put(two, 1_000_000, batch=batch, tags=["rent"])

    async def listed(*query: tuple[str, str]) -> set[str]:
        answer = await http.get("/v1/documents", params=query)
        return {view["document_id"] for view in answer.json()["documents"]}

    assert await listed(("batch", batch)) == {one, two}
    assert await listed(("batch", batch), ("tag", "rent"), ("tag", "köln")) == {one}
    assert await listed(("batch", batch), ("tag", "none")) == set()
