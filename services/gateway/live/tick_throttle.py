"""Ticks of standalone jobs, throttled at the source: at most ten a second for each job, and always the last one."""

import asyncio
from collections.abc import Callable
from typing import Final

from shared.events.standalone_job import JobProgress

EVERY: Final = 0.1  # seconds between two ticks of one job


class TickThrottle:
    """Sends a tick at once, or merged with those that come within EVERY seconds after another."""

    def __init__(self, send: Callable[[JobProgress], None]) -> None:
        self._send = send
        self._waiting: dict[str, JobProgress | None] = {}  # by job that was told of a moment ago

    def say(self, tick: JobProgress) -> None:
        """Send it as soon as it is the job's turn; never waits."""
        if tick.job_id in self._waiting:
            earlier = self._waiting[tick.job_id]
            self._waiting[tick.job_id] = earlier.followed_by(tick) if earlier else tick
        else:
            self._let_out(tick)

    def _let_out(self, tick: JobProgress) -> None:
        self._send(tick)
        self._waiting[tick.job_id] = None
        asyncio.get_running_loop().call_later(EVERY, self._turn, tick.job_id)

    def _turn(self, job_id: str) -> None:
        if tick := self._waiting.pop(job_id):
            self._let_out(tick)
