"""Full disks: work waits until there is space, and the document loses no attempt."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from shared.errors import Transient

T = TypeVar("T")

FULL: Final = frozenset({"store_full", "temporary_full"})
LOOK_EVERY: Final = 2.0  # seconds


async def with_space(action: Callable[[], Awaitable[T]], on_full: Callable[[], None]) -> T:
    """Return the result of `action`, repeated while it fails for want of space; `on_full` is called each time.

    Raises every other error of `action`. The wait is cancelled, like work, when the document is to stop.
    """
    while True:
        try:
            return await action()
        except Transient as error:
            if error.code not in FULL:
                raise
        on_full()
        await asyncio.sleep(LOOK_EVERY)
