"""I4: what one connection is shown of a document only ever grows, and ends at what the database holds."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol


@dataclass
class Watch:
    """What a watcher was shown, one list for each connection it needed."""

    document_id: str
    connections: list[list[dict[str, Any]]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Any] | None:
        """The last view that was shown."""
        return next((frames[-1]["document"] for frames in reversed(self.connections) if frames), None)

    def assert_only_grew(self) -> None:
        """Within an epoch no version is shown after a greater one, and a new epoch begins with a snapshot."""
        for frames in self.connections:
            for before, after in pairwise(frames):
                if before["epoch"] == after["epoch"]:
                    assert before["version"] <= after["version"], f"I4 {self.document_id}: {before} before {after}"
                else:
                    assert after["op"] == "snapshot", f"I4 {self.document_id}: a new epoch begins with {after['op']}"

    def shows(self, view: dict[str, Any]) -> bool:
        """Whether the last frame is this view of the database."""
        shown = self.last
        return shown is not None and all(shown[n] == view[n] for n in ("epoch", "version", "status", "percent"))


@asynccontextmanager
async def watching(url: str, document_id: str) -> AsyncIterator[Watch]:
    """Watch a document for as long as the body runs; a lost connection is made again."""
    watch = Watch(document_id)
    task = asyncio.create_task(_follow(f"ws{url.removeprefix('http')}/v1/documents/{document_id}/live", watch))
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait([task])
    watch.assert_only_grew()


async def _follow(url: str, watch: Watch) -> None:
    while True:
        try:
            async with connect(
                url, subprotocols=[Subprotocol("pagestream.v1")], proxy=None, compression=None
            ) as socket:
                watch.connections.append([])
                async for frame in socket:
                    said = json.loads(frame)
                    if "document" in said:
                        watch.connections[-1].append(said)
        except (OSError, EOFError, TimeoutError, ConnectionClosed, InvalidHandshake):
            await asyncio.sleep(0.1)
