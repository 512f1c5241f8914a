"""Facts of the deciders on their way into the log, beside the fold's loop: in their order, many at once."""

import asyncio
import time
from collections import OrderedDict, deque
from typing import Final

from shared import tracing
from shared.events import Record
from shared.kafka import Headers, Log

SAID_SECONDS: Final = 10.0  # how long a fact may take through the log before it is said again
_AT_ONCE: Final = 500


class Appender:
    """Appends what it is given; the same fact again only when it has not come back through the log for a while."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: deque[tuple[Record, Headers]] = deque()
        self._more = asyncio.Event()
        self._said: OrderedDict[str, float] = OrderedDict()  # by event id, the earliest first

    def append(self, fact: Record) -> None:
        """Put the fact in line, unless it is in line or on its way back."""
        now = time.monotonic()
        while self._said and now - next(iter(self._said.values())) >= SAID_SECONDS:
            self._said.popitem(last=False)
        if fact.event_id not in self._said:
            self._said[fact.event_id] = now
            self._waiting.append((fact, tracing.headers(tracing.current())))
            self._more.set()

    async def run(self) -> None:
        """Append for ever what is put in line. Raises Unconfirmed."""
        while True:
            await self._more.wait()
            await self.flush()

    async def flush(self) -> None:
        """Append what is in line. Raises Unconfirmed."""
        self._more.clear()
        while self._waiting:
            several = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            await self._log.append_all(several)
