"""Bodies that are no uploads: read into memory, so held to a size before anything else is asked of them."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import HTTPException, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Message

MOST_BYTES: Final = 64 * 1024


class SmallBody(APIRoute):
    """A route whose requests have at most MOST_BYTES."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, reading a body that ends with HTTPException(413) where it is larger, declared or not."""
        plain = super().get_route_handler()

        async def handler(request: Request) -> Response:
            _hold(int(request.headers.get("content-length") or 0))
            seen = 0

            async def receive() -> Message:
                nonlocal seen
                message = await request.receive()
                seen += len(message.get("body", b""))
                _hold(seen)
                return message

            return await plain(Request(request.scope, receive))

        return handler


def _hold(size: int) -> None:
    if size > MOST_BYTES:
        raise HTTPException(413)
