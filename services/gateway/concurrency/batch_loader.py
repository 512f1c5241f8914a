"""Many readers, few queries: callers that ask while a query runs share the next one."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_KEYS: Final = 500  # keys in one query


class BatchLoader(Generic[K, V]):
    """Reads by key. A read always starts after it was asked for, so it never misses what the asker has seen."""

    def __init__(
        self,
        fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        limit: int = MAX_KEYS,
        owner: Callable[[K], Hashable] = lambda _: None,
    ) -> None:
        """`limit` keys in one query; the owners of keys take turns, so that an owner of many keys delays no other."""
        self._fetch = fetch
        self._limit = limit
        self._owner = owner
        self._wanted: dict[K, asyncio.Future[V | None]] = {}
        self._turns: OrderedDict[Hashable, deque[K]] = OrderedDict()
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value of `key`, None if there is none. Raises what the query raised."""
        future = self._wanted.get(key)
        if future is None:
            future = self._wanted[key] = asyncio.get_running_loop().create_future()
            future.add_done_callback(_seen)
            self._turns.setdefault(self._owner(key), deque()).append(key)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._wanted:
                wanted = {key: self._wanted.pop(key) for key in self._next()}
                await self._answer(wanted)
        finally:
            self._running = None

    def _next(self) -> list[K]:
        keys: list[K] = []
        while self._turns and len(keys) < self._limit:
            owner, asked = self._turns.popitem(last=False)
            keys.append(asked.popleft())
            if asked:
                self._turns[owner] = asked
        return keys

    async def _answer(self, wanted: dict[K, "asyncio.Future[V | None]"]) -> None:
        try:
            found = await self._fetch(list(wanted))
        except Exception as error:  # whatever it is, it belongs to those who asked
            for future in wanted.values():
                future.set_exception(error)
        else:
            for key, future in wanted.items():
                future.set_result(found.get(key))


def _seen(future: "asyncio.Future[V | None]") -> None:
    """Mark the error as seen: a caller that went away is no reason for a warning about an unseen error."""
    if not future.cancelled():
        future.exception()
