"""What a client of pagestream.v1 says, and what it hears."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol


@asynccontextmanager
async def socket(url: str, path: str = "/v1/live") -> AsyncIterator[ClientConnection]:
    """A connection to the gateway at `url`."""
    address = "ws" + url.removeprefix("http").rstrip("/") + path
    async with connect(address, subprotocols=[Subprotocol("pagestream.v1")], compression=None) as live:
        yield live


async def say(live: ClientConnection, op: str, ref: int | None = None, **fields: Any) -> None:
    about = fields if ref is None else {"ref": ref, **fields}
    await live.send(json.dumps({"op": op, **about}))


async def hear(live: ClientConnection, within: float = 10) -> dict[str, Any]:
    async with asyncio.timeout(within):
        frame: dict[str, Any] = json.loads(await live.recv())
        return frame


async def closing(live: ClientConnection, within: float = 10) -> int | None:
    """The close code, after whatever else comes before it."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(within):
            while True:
                await live.recv()
    return live.close_code


def said(frame: dict[str, Any]) -> tuple[Any, ...]:
    return frame["op"], frame.get("ref"), frame.get("document_id"), frame.get("version")


def new_id() -> str:
    return str(uuid.uuid4())
