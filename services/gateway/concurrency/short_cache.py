"""An answer that is good for a moment: callers that ask meanwhile share it, and it is computed once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class ShortCache(Generic[V]):
    """What `find` returned at most `seconds` ago."""

    def __init__(self, find: Callable[[], Awaitable[V]], seconds: float) -> None:
        self._find = find
        self._seconds = seconds
        self._task: asyncio.Task[V] | None = None
        self._good_until = 0.0

    async def get(self) -> V:
        """The answer. Raises what `find` raises."""
        if self._task is None or (self._task.done() and asyncio.get_running_loop().time() >= self._good_until):
            self._task = asyncio.create_task(self._fresh())
        return await asyncio.shield(self._task)

    async def _fresh(self) -> V:
        try:
            return await self._find()
        finally:
            self._good_until = asyncio.get_running_loop().time() + self._seconds
