"""The body of an upload as it comes in: a sender that is silent, too slow or endless is let go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.requests import ClientDisconnect

from services.gateway.auth.limits import BodyPace
from services.gateway.problems import Problem

_SILENCE_SECONDS: Final = 60.0  # without a byte: the sender is gone
_WINDOW_SECONDS: Final = 30.0  # over which the pace is measured


async def paced(chunks: AsyncIterator[bytes], arrived: Callable[[int], None], pace: BodyPace) -> AsyncIterator[bytes]:
    """The same chunks; `arrived` is called with the size of each.

    Only the time counts in which we wait for the sender, not that in which it waits for us.
    Raises Problem("upload.too_slow" or "upload.took_too_long"), ClientDisconnect after a minute of silence.
    """
    clock = asyncio.get_running_loop().time
    waited = window = 0.0
    size = 0
    while True:
        began = clock()
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ClientDisconnect from None
        took = clock() - began
        waited, window, size = waited + took, window + took, size + len(chunk)
        if waited > pace.seconds:
            raise Problem("upload.took_too_long", limit=round(pace.seconds))
        if window >= _WINDOW_SECONDS:
            if size < pace.bytes_per_second * window:
                raise Problem("upload.too_slow", limit=round(pace.bytes_per_second))
            window, size = 0.0, 0
        arrived(len(chunk))
        yield chunk
