"""Waiting for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(
    condition: Callable[[], T | Awaitable[T]], within: float = 30.0, what: str = "", every: float = 0.02
) -> T:
    """The first true value of `condition`, asked every `every` seconds; an AssertionError after `within` seconds."""
    end = time.monotonic() + within
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < end, f"not within {within:g} s: {what or inspect.getsource(condition).strip()}"
        await asyncio.sleep(every)
