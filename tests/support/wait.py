"""Waiting for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast, overload

T = TypeVar("T")


@overload
async def until(
    condition: Callable[[], Coroutine[Any, Any, T | None]], within: float = 30.0, what: str = "", every: float = 0.02
) -> T: ...


@overload
async def until(condition: Callable[[], T | None], within: float = 30.0, what: str = "", every: float = 0.02) -> T: ...


async def until(
    condition: Callable[[], T | Awaitable[T | None] | None], within: float = 30.0, what: str = "", every: float = 0.02
) -> T:
    """The first true value of `condition`, asked every `every` seconds; an AssertionError after `within` seconds."""
    end = time.monotonic() + within
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return cast("T", found)
        assert time.monotonic() < end, f"not within {within:g} s: {what or inspect.getsource(condition).strip()}"
        await asyncio.sleep(every)
