"""An event stream whose reader takes nothing ends by itself, and with it what it held."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.gateway.auth.limits import Allotment
from services.gateway.live import outbox
from services.gateway.live.sse import EventStream, EventStreams
from services.gateway.targets import Target


class Hub:
    """Knows who watches, and shows nothing."""

    def __init__(self) -> None:
        self.viewers: set[Any] = set()

    async def subscribe(self, viewer: Any, target: Target, have: Any) -> None:
        self.viewers.add(viewer)

    def leave(self, viewer: Any) -> None:
        self.viewers.discard(viewer)


async def test_a_reader_that_takes_nothing_holds_nothing_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PATIENCE", 0.1)
    hub, connections = Hub(), Allotment("too_many_connections", 1)
    streams = EventStreams(cast(Any, hub), cast(Any, SimpleNamespace(connections=connections)))
    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": "/", "headers": []}
    full = asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            assert hub.viewers
            await full.wait()  # as the transport does whose peer does not read

    async def receive() -> Any:
        await full.wait()

    for _ in range(2):  # the second has the first one's place
        stream = EventStream(streams, cast(Any, None), ("key",), Target.document("default", "d"), None)
        async with asyncio.timeout(5):
            await stream(scope, receive, send)
        assert not hub.viewers
        assert not streams.open
