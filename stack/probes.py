"""How it is found out that another process answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

_EVERY: Final = 0.05  # seconds between two looks: short beside a start, long beside a connection


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return once `holds`. Waits without a deadline: the caller has one."""
    while not await holds():  # another process makes it true, and no event comes from there
        await asyncio.sleep(_EVERY)


async def accepts(host: str, port: int) -> bool:
    """Whether a server accepts connections there.

    Asked before a client library is: aiokafka logs an error for each try, and PyMongo looks only twice a second.
    """
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
