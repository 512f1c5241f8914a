"""What a person searches as a vector, by the chunker's model in a child process: loading it would stop every socket.

The child is started by the first search and ended after a while without a search: it takes about 130 MB.
"""

import asyncio
import base64
import sys
from pathlib import Path
from typing import Final, Self

import orjson

from shared.runtime import logs

log = logs.get(__name__)

ANSWER_SECONDS: Final = 10.0  # the first answer includes loading, and once in its life converting, the model
IDLE_SECONDS: Final = 300.0


class QueryEmbedder:
    """One child, one question at a time."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def vector(self, text: str) -> bytes | None:
        """384 float32 values of length 1; None where the model does not answer: words are searched without it."""
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._ask(text)
            except (TimeoutError, OSError, EOFError) as error:
                log.warning("the model does not answer a search", reason=repr(error))
                await self._end()
                return None
            except asyncio.CancelledError:  # its answer would be taken for that of the next question
                await asyncio.shield(self._end())
                raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the child."""
        async with self._turn:
            await self._end()

    async def _ask(self, text: str) -> bytes:
        child = self._child or await self._start()
        assert child.stdin
        assert child.stdout
        child.stdin.write(orjson.dumps(text) + b"\n")
        await child.stdin.drain()
        answer = await child.stdout.readline()
        if not answer.endswith(b"\n"):
            raise EOFError("the child has ended")
        self._rest()
        return base64.b64decode(answer)

    async def _start(self) -> asyncio.subprocess.Process:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "shared.embedding.child", str(self._cache),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return self._child

    def _rest(self) -> None:
        if self._idle:
            self._idle.cancel()
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(IDLE_SECONDS, lambda: loop.create_task(self.close()))

    async def _end(self) -> None:
        child, self._child = self._child, None
        if self._idle:
            self._idle.cancel()
        if child and child.returncode is None:
            child.kill()
            await child.communicate()  # while its answer is unread, `wait` need not return
