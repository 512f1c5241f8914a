"""The hub while its database is away: whoever watches is shown everything once it is back."""

import asyncio

import orjson
import pytest

from services.gateway import hub as hubs
from services.gateway.feed import EPOCH_KEY, Update
from services.gateway.hub import Hub
from services.gateway.subscriptions import Target
from shared.mongo import PyMongoError

TENANT = "default"
FEED = Target.of_feed(TENANT)


class Projections:
    """One document of the live generation, while the database is there."""

    def __init__(self):
        self.generation = "g1"
        self.next_generation = "g1"
        self.version = 1
        self.away = False

    def look(self):
        if self.away:
            raise PyMongoError("the database is away")

    async def refresh(self):
        self.look()
        self.generation = self.next_generation

    async def newest(self, wish, limit):
        self.look()
        return self.generation, [{"view": self.view()}]

    async def documents(self, keys):
        self.look()
        return {}

    def view(self):
        view = {"document_id": "d", "epoch": self.generation, "version": self.version, "status": "processing"}
        return view | {"filename": "d.pdf", "batch": None, "tags": [], "stages": {}, "message": None, "error": None}


class Viewer:
    def __init__(self):
        self.shown = []

    def deliver(self, slot, frame):
        told = orjson.loads(frame.json)
        rows = told.get("documents") or [told["document"]]
        self.shown.append((told["op"], told["epoch"], rows[0]["version"]))


def update(projections):
    view = {name: value for name, value in projections.view().items() if name not in ("filename", "batch", "tags")}
    body = {"document_id": "d", "epoch": projections.generation, "version": projections.version, "document": view}
    return Update("d", TENANT, orjson.dumps(body))


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_feed_whose_reload_failed_is_shown_anew_and_hears_of_every_change_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hubs, "_AGAIN_SECONDS", 0.05)
    projections, viewer = Projections(), Viewer()
    hub = Hub(projections, delivered=lambda view: None)
    await hub.start()
    await hub.subscribe(viewer, FEED, ref=1)
    assert viewer.shown == [("snapshot", "g1", 1)]
    hub.memory.learn(hubs.DocumentKey(TENANT, "d"), projections.view())

    projections.away = True
    projections.next_generation = "g2"
    await hub.receive([Update(EPOCH_KEY, "", b'{"epoch": "g2"}')])
    await asyncio.sleep(0.2)  # it has asked, more than once
    assert len(viewer.shown) == 1
    projections.away = False
    await until(lambda: viewer.shown[-1] == ("snapshot", "g2", 1))

    projections.away = True
    await hub.reload()
    await asyncio.sleep(0.2)
    projections.away, projections.version = False, 2
    await until(lambda: viewer.shown[-1] == ("snapshot", "g2", 2))

    projections.version = 3
    await hub.receive([update(projections)])
    await until(lambda: viewer.shown[-1] == ("update", "g2", 3))
    await hub.close()
