"""An event loop in a thread of its own: what is started there lives on between tests, whichever loop those use."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Background:
    """Runs coroutines for callers of any thread; children that end with their parent end with this thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="background")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for `work`, blocking."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for `work`, in the caller's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
