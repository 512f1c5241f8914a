"""One socket's requests, against a hub whose answers take their time."""

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson

from services.gateway.live.session import Session
from services.gateway.targets import Target


class SlowHub:
    """Joins at once, as the real one does, and opens when it is told to."""

    def __init__(self) -> None:
        self.watched = set[Target]()
        self.answers = asyncio.Event()

    def targets_of(self, viewer):
        return self.watched

    async def subscribe(self, viewer, target, ref, have) -> None:
        self.watched.add(target)
        await self.answers.wait()

    def leave(self, viewer) -> None:
        self.watched.clear()


class Viewer:
    """Keeps the refusals that it is shown."""

    def __init__(self) -> None:
        self.refused: list[Any] = []
        self.reading = asyncio.Event()

    def deliver(self, target, frame) -> None:
        self.refused.append(frame)

    async def caught_up(self) -> None:
        await self.reading.wait()


def conversation(hub, viewer, counted):
    taking = SimpleNamespace(take=lambda holders, amount: counted.append(amount))
    limits = SimpleNamespace(frames=SimpleNamespace(take=lambda holders, now: True), subscriptions=taking)
    caller = SimpleNamespace(tenant="default", batch=None, require_watching=lambda target: None)
    return Session(hub, viewer, caller, hang_up=None, limits=limits, holders=(), max_subscriptions=5)


def subscribe(talk, document_id) -> None:
    talk.hear(orjson.dumps({"op": "subscribe", "ref": 1, "document_id": document_id}).decode(), now=0.0)


async def test_a_subscription_that_is_being_opened_is_counted_once() -> None:
    hub, viewer, counted = SlowHub(), Viewer(), list[int]()
    talk = conversation(hub, viewer, counted)
    for number in range(5):
        subscribe(talk, f"d{number}")
        await asyncio.sleep(0)  # it has joined and waits for its snapshot
    assert viewer.refused == []
    subscribe(talk, "d4")  # the same again takes no other place
    assert viewer.refused == []
    subscribe(talk, "d5")
    assert len(viewer.refused) == 1
    await talk.end()
    assert sum(counted) == 0


async def test_those_that_have_not_joined_yet_are_counted_too() -> None:
    hub, viewer = SlowHub(), Viewer()
    talk = conversation(hub, viewer, [])
    for number in range(6):
        subscribe(talk, f"d{number}")
    assert len(viewer.refused) == 1
    await talk.end()


async def test_a_reader_that_takes_no_list_is_owed_no_second_one() -> None:
    hub, viewer = SlowHub(), Viewer()
    hub.answers.set()
    opened = []

    async def opens(viewer, target, ref, have) -> None:
        opened.append(ref)

    hub.subscribe = opens
    talk = conversation(hub, viewer, [])
    for ref in range(50):
        talk.hear(orjson.dumps({"op": "subscribe", "ref": ref, "feed": "documents"}).decode(), now=0.0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert opened == []
    viewer.reading.set()
    async with asyncio.timeout(5):
        while len(opened) < 50:
            await asyncio.sleep(0)
    assert opened == list(range(50))  # and each has its answer in the end
    await talk.end()


async def test_a_list_costs_as_much_as_its_rows() -> None:
    hub, viewer, ends = SlowHub(), Viewer(), []
    talk = conversation(hub, viewer, [])
    talk._hang_up = lambda code, reason: ends.append(code)
    for ref in range(101):
        talk.hear(orjson.dumps({"op": "subscribe", "ref": ref, "feed": "documents"}).decode(), now=0.0)
    assert ends == [4429]
    await talk.end()


async def test_of_many_documents_only_some_are_on_their_way_until_the_reader_has_them() -> None:
    hub, viewer = SlowHub(), Viewer()
    hub.answers.set()
    opened = []

    async def opens(viewer, target, ref, have) -> None:
        opened.append(target.name)
        viewer.reading.clear()  # each snapshot fills what a reader may be owed

    hub.subscribe = opens
    talk = conversation(hub, viewer, [])
    talk._limit = 1_000
    for number in range(1_000):
        subscribe(talk, f"d{number}")
    for _ in range(10):
        await asyncio.sleep(0)
    assert opened == []
    async with asyncio.timeout(5):
        while len(opened) < 1_000:  # a client that comes back after a restart has all of them in the end
            before = len(opened)
            viewer.reading.set()
            while len(opened) == before:
                await asyncio.sleep(0)
            assert len(opened) - before <= 400
    await talk.end()
