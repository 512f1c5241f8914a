"""Results that nobody waits for: those of documents that a replay or rebuild met, and of documents that failed.

They are stored a few documents at a time, the newest first, and only while nothing is stored that somebody waits for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from services.progress.projection.stored_results import StoredResults
from shared.document.state import DocumentState
from shared.projecting.fences import put_all

_AT_ONCE: Final = 20  # documents; the results of a book are some megabytes
_PAUSE_SECONDS: Final = 0.05

States = Callable[[Collection[str]], Awaitable[dict[str, DocumentState]]]


class ResultBacklog:
    """What is marked as unloaded in one generation; `states` reads the settled states of documents."""

    def __init__(self, results: StoredResults, states: States, is_held: Callable[[], bool] = lambda: False) -> None:
        """`is_held` tells whether something else goes first."""
        self._results = results
        self._states = states
        self._is_held = is_held
        self._aside: set[str] = set()  # what they hold cannot be stored; another life tries again
        self._wanted = asyncio.Event()
        self._wanted.set()  # an earlier life may have left some

    def wake(self) -> None:
        """There may be some."""
        self._wanted.set()

    async def wait(self) -> None:
        """Return once there may be some."""
        await self._wanted.wait()

    async def work_off(self) -> None:
        """Store them all. Raises the outages of the store and of the database."""
        before: list[str] = []
        while ids := await self._results.unloaded(_AT_ONCE, but=self._aside):
            while self._is_held() or ids == before:
                before = []
                await asyncio.sleep(_PAUSE_SECONDS)
            states = await self._states(ids)
            refused = await put_all(
                "progress.store", list(states.values()), self._results.load, lambda state: state.document_id
            )
            self._aside.update(state.document_id for state in refused)
            before = ids
        self._wanted.clear()
