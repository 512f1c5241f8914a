"""Many readers, few queries: whoever asks while a query runs shares the next one."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST: Final = 500  # keys in one query


class BatchLoader(Generic[K, V]):
    """Reads by key. A read always starts after it was asked for, so it never misses what the asker has seen."""

    def __init__(
        self,
        fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        most: int = MOST,
        owner: Callable[[K], Hashable] = lambda _: None,
    ) -> None:
        """`most` keys in one query; the owners of keys take turns, so that one who asks for many delays nobody else."""
        self._fetch = fetch
        self._most = most
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
        while self._turns and len(keys) < self._most:
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
    """An asker that went away meanwhile is no reason for a warning about an error that nobody looked at."""
    if not future.cancelled():
        future.exception()
