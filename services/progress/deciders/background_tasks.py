"""What takes long, done beside the fold's loop: storing results, erasing. One errand a document, a few at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from shared.projecting.fences import PASSES, fenced
from shared.runtime import logs
from shared.runtime.failpoints import provoke
from shared.runtime.tracebacks import summarize

log = logs.get(__name__)

_AGAIN_SECONDS: Final = 1.0  # after an outage


class BackgroundTasks:
    """Errands by document id; `places` of them run at the same time."""

    def __init__(self, places: int, ended: Callable[[str, Exception | None], None]) -> None:
        """`ended` is called with a document's id when its errand has ended, and with what it raised."""
        self._places = asyncio.Semaphore(places)
        self._ended = ended
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __bool__(self) -> bool:
        """Whether any errand runs or waits."""
        return bool(self._tasks)

    def under_way(self, document_id: str) -> bool:
        """Whether an errand of the document runs or waits for its place."""
        return document_id in self._tasks

    def start(self, where: str, document_id: str, errand: Callable[[], Awaitable[None]]) -> None:
        """Run the errand, again and again while the store or the database is away.

        What else it raises is noted under the document's id; `where` names the place in the log.
        """
        assert document_id not in self._tasks
        self._tasks[document_id] = asyncio.create_task(self._run(where, document_id, errand))

    async def _run(self, where: str, document_id: str, errand: Callable[[], Awaitable[None]]) -> None:
        async with self._places:
            with fenced(where, document_id) as outcome:
                provoke(where, document_id)
                while not await self._tried(where, errand):
                    await asyncio.sleep(_AGAIN_SECONDS)
        del self._tasks[document_id]
        self._ended(document_id, outcome.error)

    async def _tried(self, where: str, errand: Callable[[], Awaitable[None]]) -> bool:
        try:
            await errand()
        except PASSES as error:
            log.warning("waits for the store or the database", where=where, reason=summarize(error))
            return False
        return True

    async def close(self) -> None:
        """End the running tasks; the next process begins them anew."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
