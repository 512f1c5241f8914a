"""Bodies that are no uploads: read into memory, so held to a size and a time before anything else is asked of them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

from fastapi import HTTPException, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Message

from services.gateway.problems import Problem

MAX_BYTES: Final = 64 * 1024
_WITHIN: Final = 30.0  # seconds for the whole body


class SmallBody(APIRoute):
    """A route whose requests have at most MAX_BYTES, which come within half a minute."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with a body that is read before it is called. It answers 413 and 408."""
        plain = super().get_route_handler()

        async def handler(request: Request) -> Response:
            _hold(int(request.headers.get("content-length") or 0))
            body = await _whole(request)
            messages: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

            async def receive() -> Message:
                found = next(messages, None)
                return await request.receive() if found is None else found

            return await plain(Request(request.scope, receive))

        return handler


async def _whole(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(_WITHIN):
            async for chunk in request.stream():
                body += chunk
                _hold(len(body))
    except TimeoutError:
        raise Problem("body_too_late", seconds=f"{_WITHIN:g}") from None
    return body


def _hold(size: int) -> None:
    if size > MAX_BYTES:
        raise HTTPException(413)
