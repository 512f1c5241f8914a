"""Places for what takes long, shared by all tenants: one of them has at most half."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.gateway.problems import Problem


class FairSlots:
    """`count` places; who finds none waits for `seconds`."""

    def __init__(self, count: int, code: str, seconds: float) -> None:
        """`code` is the refusal of who has waited for so long."""
        self._count = count
        self._each = max(1, count // 2)
        self._code = code
        self._seconds = seconds
        self._held: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def one(self, tenant: str) -> AsyncIterator[None]:
        """Wait for a place and hold it. Raises Problem."""
        try:
            async with asyncio.timeout(self._seconds), self._changed:
                await self._changed.wait_for(lambda: self._is_free(tenant))
                self._held[tenant] += 1
        except TimeoutError:
            limit = self._count if self._held.total() >= self._count else self._each
            raise Problem(self._code, limit=limit, retry_after=5) from None
        try:
            yield
        finally:
            self._held[tenant] -= 1
            if not self._held[tenant]:
                del self._held[tenant]
            async with self._changed:
                self._changed.notify_all()

    def _is_free(self, tenant: str) -> bool:
        return self._held.total() < self._count and self._held[tenant] < self._each
