"""`python -m services.gateway.search.index_process FOLDER CACHE`: the search index in a process beside the gateway.

Loading the model, following the projection and comparing vectors would stop every socket. One JSON object a line:

    {"look": [document_id, …]}                                          these have ended or are deleted; no answer
    {"id": 7, "tenant", "text", "words": […], "limit", "narrowing"}     → answer {"id": 7, "worded", "near", "complete"}

A search waits for the looks before it. The process saves what it holds, and ends, when its input does.
"""

import asyncio
import fcntl
import shutil
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import IO, Any, Final

import orjson

from services.gateway.search.follower import Follower
from services.gateway.search.narrowing import Narrowing
from services.gateway.search.search_index import SearchIndex
from services.gateway.search.searcher import ANSWER, LINE
from services.gateway.search.vector_index import IndexDamaged
from shared.embedding.model import Embedder
from shared.runtime import logs
from shared.runtime.process import run
from shared.runtime.settings import SharedSettings, read
from shared.runtime.tracebacks import summarize
from shared.storage import mongo
from shared.storage.mongo import OUTAGES

log = logs.get(__name__)

_FOLLOW_SECONDS: Final = 5.0  # how soon what no look told of is found
_LOOK_SECONDS: Final = 1.0  # how long a search waits for looks
_SAVE_SECONDS: Final = 30.0
_IDLE_SECONDS: Final = 300.0  # after which the model is let go: it takes 130 MB


class Model:
    """The embedder, loaded by the first question and let go after a while without one."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._embedder: Embedder | None = None
        self._asked_at = 0.0
        self._turn = asyncio.Lock()

    async def vector(self, text: str) -> bytes | None:
        """384 float32 values of length 1; None where the model cannot be loaded: words are searched without it."""
        async with self._turn:
            self._asked_at = time.monotonic()
            try:
                return await asyncio.to_thread(self._embed, text)
            except Exception as error:
                log.warning("the model does not answer a search", reason=summarize(error))
                return None

    def rest(self) -> None:
        """Let go of it, unless it was needed lately."""
        if self._embedder and not self._turn.locked() and time.monotonic() - self._asked_at > _IDLE_SECONDS:
            self._embedder = None

    def _embed(self, text: str) -> bytes:
        self._embedder = self._embedder or Embedder(self._cache)
        vector: bytes = self._embedder.embed([text])[0].astype("<f4").tobytes()
        return vector


class IndexServer:
    """Answers lines with lines."""

    def __init__(self, index: SearchIndex, follower: Follower, model: Model) -> None:
        self._index = index
        self._follower = follower
        self._model = model
        self._looks: set[asyncio.Task[None]] = set()  # the first looks, for which searches wait

    async def serve(self, lines: asyncio.StreamReader) -> None:
        """Until the lines end."""
        async with asyncio.TaskGroup() as group:
            tasks: set[asyncio.Task[None]] = set()

            def start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
                task = group.create_task(work)
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                return task

            start(self._follow())
            start(self._keep())
            async for line in lines:
                said = orjson.loads(line)
                if "look" in said:
                    look = start(self._look(said["look"]))
                    self._looks.add(look)
                    look.add_done_callback(self._looks.discard)
                else:
                    start(self._answer(said))
            for task in tasks:
                task.cancel()

    async def _look(self, ids: Sequence[str]) -> None:
        try:
            await self._follower.look(ids)
        except OUTAGES as error:  # they are followed later
            log.warning("the search index waits for the database", reason=summarize(error))

    async def _answer(self, asked: dict[str, Any]) -> None:
        tenant, limit, narrowing = asked["tenant"], asked["limit"], Narrowing.of_json(asked["narrowing"])
        if self._looks:
            await asyncio.wait(set(self._looks), timeout=_LOOK_SECONDS)
        vector = await self._model.vector(asked["text"])
        try:
            worded = self._index.worded(tenant, asked["words"], limit, narrowing)
            near = self._index.near(tenant, vector, limit, narrowing) if vector else []
            answer: dict[str, Any] = {"worded": worded, "near": near, "complete": self._follower.is_complete}
        except IndexDamaged:
            raise
        except Exception as error:  # of this search; the next may be answered
            log.exception("a search failed")
            answer = {"error": type(error).__name__}
        sys.stdout.buffer.write(ANSWER + orjson.dumps({"id": asked["id"], **answer}) + b"\n")
        sys.stdout.buffer.flush()

    async def _follow(self) -> None:
        while True:
            try:
                await self._follower.follow()
            except OUTAGES as error:
                log.warning("the search index waits for the database", reason=summarize(error))
            await asyncio.sleep(_FOLLOW_SECONDS)

    async def _keep(self) -> None:
        """Save from time to time, and let the model go."""
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            self._index.save()
            self._model.rest()


async def serve(settings: SharedSettings, folder: Path, cache: Path) -> None:
    """Serve the index in `folder` until standard input ends; the model is kept in `cache`."""
    lines = asyncio.StreamReader(limit=LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    with await asyncio.to_thread(_alone, folder):
        index = open_index(folder / "data")
        try:
            async with mongo.connect(settings, mongo.ELECTION) as database:
                await IndexServer(index, Follower(database, index), Model(cache)).serve(lines)
        except* IndexDamaged:
            log.exception("the search index is damaged and is made anew")
            shutil.rmtree(folder / "data")
        else:
            index.close()


def _alone(folder: Path) -> IO[str]:
    """Wait until the process of before, which may still be saving, has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def open_index(folder: Path) -> SearchIndex:
    """The index in `folder`; one that cannot be opened, or is of another release, is made anew from the projection."""
    try:
        return SearchIndex(folder)
    except Exception:
        log.exception("the search index cannot be opened and is made anew")
        shutil.rmtree(folder)
        return SearchIndex(folder)


if __name__ == "__main__":
    found = read(SharedSettings)
    logs.configure("search", found.log_level)
    run(serve(found, Path(sys.argv[1]), Path(sys.argv[2])))
