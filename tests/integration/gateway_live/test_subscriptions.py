"""What watchers are shown: snapshots, changes, rows, epochs."""

import asyncio

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.gateway import GatewayProcess, Hand
from tests.support.websocket import hear, new_id, said, say

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    listed = [row["document_id"] for row in (await hear(live))["documents"]]
    assert own in listed
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
    assert snapshot["documents"][0]["document_id"] == first
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
    await hand.begin(epoch := new_id())
    await hand.put(quiet, 3)
    await hand.put(busy, 4)
    await hand.announce_epoch()
    frames = [await hear(live) for _ in range(3)]
    assert {frame["op"] for frame in frames} == {"snapshot"}
    assert {frame["epoch"] for frame in frames} == {epoch}
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
    await hand.begin(epoch := new_id())
    await hand.change(document_id, 3)
    frame = await hear(live)
    assert (frame["op"], frame["epoch"], frame["version"]) == ("snapshot", epoch, 3)
    await hand.publish(old)
    await hand.change(document_id, 4)
    assert (await hear(live))["version"] == 4


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
