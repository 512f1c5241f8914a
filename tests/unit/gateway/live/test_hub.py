"""The hub while its database is away: whoever watches is shown everything once it is back."""

import asyncio

import orjson
import pytest

from services.gateway.live import document_reader, update_dispatcher
from services.gateway.live.document_reader import DocumentReader
from services.gateway.live.hub import Hub
from services.gateway.live.update_dispatcher import UpdateDispatcher
from services.gateway.live.updates_consumer import EPOCH_KEY, Update
from services.gateway.problems import Problem
from services.gateway.queries.projections import Found
from services.gateway.targets import DocumentKey, Target
from shared.errors import Transient
from shared.storage.mongo import PyMongoError

TENANT = "default"
FEED = Target.of_feed(TENANT)


class Projections:
    """One document of the live generation, while the database is there."""

    def __init__(self) -> None:
        self.generation = "g1"
        self.next_generation = "g1"
        self.version = 1
        self.away = False

    def look(self) -> None:
        if self.away:
            raise PyMongoError("the database is away")

    async def refresh(self) -> None:
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
    def __init__(self) -> None:
        self.shown: list[tuple[str, str, int]] = []

    def deliver(self, slot, frame) -> None:
        told = orjson.loads(frame.json)
        rows = told.get("documents") or [told["document"]]
        self.shown.append((told["op"], told["epoch"], rows[0]["version"]))


def update(projections):
    view = {name: value for name, value in projections.view().items() if name not in ("filename", "batch", "tags")}
    body = {"document_id": "d", "epoch": projections.generation, "version": projections.version, "document": view}
    return Update("d", TENANT, orjson.dumps(body))


async def never(key):
    return False


async def parts(projections, accepted):
    reader = DocumentReader(projections, accepted)
    await reader.start()
    hub = Hub(reader, delivered=lambda view: None)
    return reader, hub, UpdateDispatcher(reader, hub)


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_feed_whose_reload_failed_is_shown_anew_and_hears_of_every_change_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(update_dispatcher, "_AGAIN_SECONDS", 0.05)
    projections, viewer = Projections(), Viewer()
    reader, hub, dispatcher = await parts(projections, never)
    await hub.subscribe(viewer, FEED, ref=1)
    assert viewer.shown == [("snapshot", "g1", 1)]
    reader.upload_info.learn(DocumentKey(TENANT, "d"), projections.view())

    projections.away = True
    projections.next_generation = "g2"
    await dispatcher.receive([Update(EPOCH_KEY, "", b'{"epoch": "g2"}')])
    await asyncio.sleep(0.2)  # it has asked, more than once
    assert len(viewer.shown) == 1
    projections.away = False
    await until(lambda: viewer.shown[-1] == ("snapshot", "g2", 1))

    projections.away = True
    await dispatcher.reload()
    await asyncio.sleep(0.2)
    projections.away, projections.version = False, 2
    await until(lambda: viewer.shown[-1] == ("snapshot", "g2", 2))

    projections.version = 3
    await dispatcher.receive([update(projections)])
    await until(lambda: viewer.shown[-1] == ("update", "g2", 3))
    await dispatcher.close()


KEY = DocumentKey(TENANT, "6f1c2b8e-6a53-4c36-9a3e-3f1f0d1f7b11")


async def test_an_accepted_upload_is_waited_for_while_the_projection_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the time in which an unknown id may appear: the next generation comes to it."""

    async def stored(key):
        return True

    projections = Projections()
    row = projections.view()
    found = Found("g1", {"view": row})
    rows: dict[DocumentKey, Found] = {}

    async def documents(keys):
        return {key: rows.get(key) for key in keys}

    projections.documents = documents
    reader = DocumentReader(projections, accepted=stored)
    await reader.start()
    waiting = asyncio.create_task(reader.document(KEY, patience=0.05))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    rows[KEY] = found
    reader.changes.wake(Target.of_key(*KEY))
    assert await asyncio.wait_for(waiting, 5) == found


@pytest.mark.parametrize(("accepted", "code"), [(True, "projection_unavailable"), (False, "document.not_found")])
async def test_what_was_accepted_is_never_said_to_be_unknown(
    monkeypatch: pytest.MonkeyPatch, accepted: bool, code: str
) -> None:
    monkeypatch.setattr(document_reader, "LONG_PATIENCE", 0.05)

    async def stored(key):
        return accepted

    async def documents(keys):
        return {}

    projections = Projections()
    projections.documents = documents
    reader = DocumentReader(projections, accepted=stored)
    await reader.start()
    with pytest.raises(Problem) as refused:
        await reader.document(KEY, patience=0.05)
    assert refused.value.code == code


async def test_an_update_that_raises_keeps_nobody_from_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    projections, viewer = Projections(), Viewer()
    reader, hub, dispatcher = await parts(projections, never)
    await hub.subscribe(viewer, FEED, ref=1)
    reader.upload_info.learn(DocumentKey(TENANT, "d"), projections.view())
    projections.version = 2
    broken = [
        Update("x", TENANT, value) for value in (b"{", b"[]", b"null", b'{"epoch": "g1", "version": 1, "document": 7}')
    ]
    await dispatcher.receive([*broken, update(projections)])
    await until(lambda: viewer.shown[-1] == ("update", "g1", 2))
    await dispatcher.close()


async def test_where_the_store_is_away_too_an_unknown_document_is_to_be_asked_for_again() -> None:
    async def away(key: DocumentKey) -> bool:
        raise Transient("store_unavailable", detail="503")

    reader = DocumentReader(Projections(), accepted=away)
    await reader.start()
    with pytest.raises(Problem) as refused:
        await reader.document(KEY, patience=0)
    assert (refused.value.code, refused.value.status) == ("projection_unavailable", 503)
