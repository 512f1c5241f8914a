"""Results that nobody waits for: those of documents that a replay or rebuild met, and of documents that failed.

They are stored a few documents at a time, the newest first, and only while nothing is stored that somebody waits for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from services.progress.projection.stored_results import StoredResults
from shared.document.state import DocumentState
from shared.projecting.fences import put_all

_AT_ONCE: Final = 20  # documents; the results of a book are some megabytes
_PAUSE_SECONDS: Final = 0.05

States = Callable[[Collection[str]], Awaitable[dict[str, DocumentState]]]


class ResultBacklog:
    """What is marked as unloaded in one generation; `states` reads the settled states of documents."""

    def __init__(
        self,
        results: StoredResults,
        states: States,
        is_held: Callable[[], bool] = lambda: False,
        ended: Callable[[Collection[str]], None] = lambda ids: None,
    ) -> None:
        """`is_held` tells whether something else goes first; `ended` is called with what is under way no more."""
        self._results = results
        self._states = states
        self._is_held = is_held
        self._ended = ended
        self._loading: frozenset[str] = frozenset()
        self._aside: set[str] = set()  # what they hold cannot be stored; another life tries again
        self._wanted = asyncio.Event()
        self._wanted.set()  # an earlier life may have left some

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known to wait."""
        return not self._wanted.is_set()

    def wake(self) -> None:
        """There may be some."""
        self._wanted.set()

    def under_way(self, document_id: str) -> bool:
        """Whether results of the document are being stored: nothing of it can be erased for good."""
        return document_id in self._loading

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
            self._loading = frozenset(ids)
            try:
                await self._store(ids)
            finally:
                self._loading = frozenset()
                self._ended(ids)
            before = ids
        self._wanted.clear()

    async def _store(self, ids: Sequence[str]) -> None:
        found = (await self._states(ids)).values()
        states = [state for state in found if state.status != "deleted"]  # its row may not say so yet
        refused = await put_all("progress.store", states, self._results.load, lambda state: state.document_id)
        self._aside.update(state.document_id for state in refused)
