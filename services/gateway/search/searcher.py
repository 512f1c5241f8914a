"""The gateway's side of the search index: starts its process, asks it, tells it of what has ended."""

import asyncio
import itertools
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Self

import orjson

from services.gateway.problems import Problem
from services.gateway.search.narrowing import Narrowing
from shared.runtime import file_lock, logs

log = logs.get(__name__)

MODULE: Final = "services.gateway.search.index_process"
ANSWER: Final = b"answer "  # begins a line that is no line of its log
_ANSWER_SECONDS: Final = 10.0  # the first answer includes loading, and once in its life converting, the model
_END_SECONDS: Final = 5.0  # for saving what it holds
_AGAIN_SECONDS: Final = 1.0
_MAX_BUFFER: Final = 1024 * 1024  # bytes that it has not read; what it is not told of it finds by itself
LINE: Final = 16 * 1024 * 1024  # bytes at most of one, in either direction
_FOLDERS: Final = 64  # gateways on one machine


class Rankings(NamedTuple):
    """Chunks as (document, place), best first, by words and by meaning; `complete`: nothing is left to index."""

    worded: list[tuple[str, int]]
    near: list[tuple[str, int]]
    complete: bool


class Searcher:
    """One process, which is started anew when it ends. Its index is in a folder of `root` that no other gateway has."""

    def __init__(self, root: Path, cache: Path) -> None:
        """`cache` is where the model is kept."""
        self._root = root
        self._cache = cache
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._child: asyncio.subprocess.Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_closing = False

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        if self._child and self._child.stdin:
            self._child.stdin.close()
        if self._running:
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await asyncio.shield(self._running)
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def look(self, ids: Sequence[str]) -> None:
        """These documents have ended or are deleted: a search from now on knows it."""
        child = self._child
        if ids and child and child.stdin and child.stdin.transport.get_write_buffer_size() < _MAX_BUFFER:
            child.stdin.write(orjson.dumps({"look": list(ids)}) + b"\n")

    async def search(self, tenant: str, text: str, words: Sequence[str], limit: int, to: Narrowing) -> Rankings:
        """The best chunks of a tenant. Raises Problem("search_unavailable")."""
        child, number = self._child, next(self._numbers)
        if child is None or child.stdin is None:
            raise Problem("search_unavailable", retry_after=1)
        asked = {"id": number, "tenant": tenant, "text": text, "words": list(words), "limit": limit}
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            child.stdin.write(orjson.dumps({**asked, "narrowing": to.to_json()}) + b"\n")
            async with asyncio.timeout(_ANSWER_SECONDS):
                said = await answer
        except TimeoutError:
            raise Problem("search_unavailable", retry_after=5) from None
        finally:
            self._waiting.pop(number, None)
        if "error" in said:
            raise Problem("search_unavailable", retry_after=5)
        worded, near = ([(document, index) for document, index in said[name]] for name in ("worded", "near"))
        return Rankings(worded, near, bool(said["complete"]))

    async def _run(self) -> None:
        lock, folder = await asyncio.to_thread(_own_folder, self._root)
        with lock:
            while True:
                await self._live(folder)
                if self._is_closing:
                    return
                log.warning("the search index ended and is started anew")
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _live(self, folder: Path) -> None:
        """One life of the process."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE, str(folder), str(self._cache),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE, start_new_session=True,
        )  # fmt: skip
        self._child = child
        assert child.stdout
        try:
            async for line in child.stdout:
                if not line.startswith(ANSWER):  # a line of its log
                    sys.stdout.buffer.write(line)
                    continue
                said = orjson.loads(line.removeprefix(ANSWER))
                if (waiting := self._waiting.get(said["id"])) and not waiting.done():
                    waiting.set_result(said)
        finally:
            self._child = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result({"error": "ended"})
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()


def _own_folder(root: Path) -> tuple[IO[str], Path]:
    """The first folder that no living gateway has, and what keeps it ours: the kernel lets go of it with us."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, _FOLDERS + 1):
        lock = file_lock.taken(root / f"index-{number}.lock")
        if lock is not None:
            return os.fdopen(lock, "a"), root / f"index-{number}"
    raise OSError(f"{root} is used by {_FOLDERS} gateways")
