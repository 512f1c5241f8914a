"""Who waits for something to happen to a target: long polls, and readers of what is not there yet."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.targets import Target


class ChangeWaiters:
    """Events by target."""

    def __init__(self) -> None:
        self._waiting: dict[Target, set[asyncio.Event]] = {}

    @contextmanager
    def expecting(self, target: Target) -> Iterator[asyncio.Event]:
        """An event that is set by whatever happens to the target meanwhile."""
        event = asyncio.Event()
        waiting = self._waiting.setdefault(target, set())
        waiting.add(event)
        try:
            yield event
        finally:
            waiting.discard(event)
            if not waiting and self._waiting.get(target) is waiting:
                del self._waiting[target]

    def wake(self, target: Target) -> None:
        """Something happened to it."""
        for event in self._waiting.get(target, ()):
            event.set()

    def wake_all(self) -> None:
        """Something happened to everything."""
        for target in list(self._waiting):
            self.wake(target)


async def within(event: asyncio.Event, until: float) -> bool:
    """Whether the event is set before the loop's clock shows `until`."""
    try:
        async with asyncio.timeout_at(until):
            await event.wait()
    except TimeoutError:
        return False
    return True
