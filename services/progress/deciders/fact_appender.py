"""Facts of the deciders on their way into the log, beside the fold's loop: in their order, a bounded number at once.

What is appended is folded before anything that comes after it. So only a few facts are under way at the same time,
until the fold has read them: a fact of another producer waits for these few, not for all that is due.
"""

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from itertools import islice
from typing import Final

from shared.events.document import Record
from shared.events.standalone_job import JobProgress
from shared.kafka.producer import Headers, Producer
from shared.projecting.batch import Batch
from shared.runtime import tracing

SAID_SECONDS: Final = 10.0  # how long a fact may take through the log before it is appended again
_UNDER_WAY: Final = 50  # facts; the fold takes some 25 ms for them
_LOOK_SECONDS: Final = 1.0  # how soon it is noticed that one is lost, while others wait


class FactAppender:
    """Appends what it is given; the same fact again only when it has not come back through the log for a while."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._waiting: OrderedDict[str, tuple[Record, Headers]] = OrderedDict()  # by event id
        self._more = asyncio.Event()
        self._said: OrderedDict[str, float] = OrderedDict()  # when, by event id; the earliest first
        self._under_way: set[str] = set()  # those of them that the fold has not read

    def append(self, fact: Record) -> None:
        """Put the fact in line, unless it is in line or on its way back."""
        self._forget()
        if fact.event_id not in self._said and fact.event_id not in self._waiting:
            self._waiting[fact.event_id] = fact, tracing.headers(tracing.current())
            self._more.set()

    def came_back(self, batch: Batch) -> None:
        """The fold has read these facts: as many others may go."""
        if self._under_way:
            self._under_way.difference_update(entry.fact.event_id for entry in batch.facts)
            self._under_way.difference_update(
                entry.item.event_id for entry in batch.jobs if not isinstance(entry.item, JobProgress)
            )
            self._more.set()

    async def run(self) -> None:
        """Append queued facts until cancelled. Raises Unconfirmed."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS if self._waiting else None):
                    await self._more.wait()
            self._more.clear()
            self._forget()
            await self._flush()

    async def _flush(self) -> None:
        room = max(0, _UNDER_WAY - len(self._under_way))
        several = dict(islice(self._waiting.items(), room))
        if not several:
            return
        now = time.monotonic()
        for event_id in several:
            del self._waiting[event_id]
            self._said[event_id] = now
        self._under_way.update(several)
        await self._producer.append_all(list(several.values()))

    def _forget(self) -> None:
        """Let go of what was said long ago, whether or not it has come back."""
        now = time.monotonic()
        while self._said and now - next(iter(self._said.values())) >= SAID_SECONDS:
            event_id, _ = self._said.popitem(last=False)
            self._under_way.discard(event_id)
