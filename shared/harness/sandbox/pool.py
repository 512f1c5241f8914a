"""The worker's pool of child processes: one work item each, killed as a whole group when it must stop."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import orjson

from shared.errors import Rejected, Transient
from shared.harness.sandbox import temp_folders
from shared.harness.sandbox.child import (
    BEGUN,
    DONE,
    ERROR,
    FRAME,
    MAX_FRAME,
    OFFLINE,
    ONLINE,
    READY,
    REQUEST,
    STEP,
    TICK,
)
from shared.runtime import logs
from shared.storage.blobs import BlobDamaged

log = logs.get(__name__)

_START_SECONDS: Final = 60.0  # imports on a busy machine
_PATIENCE: Final = 10  # times the deadline: who waits longer for a core stands behind something that hangs
_MIB: Final = 1024 * 1024

OnTick = Callable[[Mapping[str, Any]], None]
OnStep = Callable[[bytes], None]


class ChildFailed(Exception):
    """A bug in the stage's code, with the child's traceback."""


class TooLong(Exception):
    """A frame of a `kind` that has no business to be of this `size`; it is not read."""

    def __init__(self, kind: bytes, size: int) -> None:
        super().__init__(kind, size)
        self.kind = kind
        self.size = size


class Crashed(Exception):
    """The child died, was out of memory or ran past its deadline; `code` and `facts` as in the catalogue."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts


class Child:
    """One place of the pool: a process that is started when needed and replaced after it was killed."""

    def __init__(self, module: str, network: str, environment: Mapping[str, str]) -> None:
        self._module = module
        self._network = network
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline: int | None = None  # our end of the pipe whose closing kills the process
        self._reading = asyncio.Lock()  # of what the process writes
        self.kept_network = ""  # why the kernel left it the network that it was to do without

    async def run(
        self,
        request: Mapping[str, Any],
        *,
        deadline: float,
        memory_mb: int,
        on_tick: OnTick,
        on_step: OnStep = lambda sealed: None,
        result_mb: int = 256,
    ) -> bytes:
        """Do one request in a private folder; its sealed result, the last one where it has several steps.

        `on_step` gets the result of each step before the last, as it comes. The deadline is that of a step, and of the
        first it counts from when it has its core.

        Raises Rejected or Transient as the stage did, Rejected("too_large") for a result of more than `result_mb`,
        Crashed, ChildFailed. Cancelling kills the group.
        """
        workdir = temp_folders.make()
        limits = {"workdir": str(workdir), "memory": memory_mb * _MIB, "cpu_seconds": deadline}
        step = f"The {request['function']} step"
        sound = False  # whether the process may be used again
        try:
            async with asyncio.timeout(_START_SECONDS + _PATIENCE * deadline) as limit:
                process = await self._started()
                begun = partial(_reschedule, limit, deadline)
                body = orjson.dumps({**request, **limits})
                async with self._reading:
                    answer = await self._exchange(process, body, begun, on_tick, on_step, result_mb * _MIB)
            sound = True
            return answer
        except (Rejected, Transient, BlobDamaged, ChildFailed):
            sound = True
            raise
        except TimeoutError:
            raise Crashed("timeout", what=step, limit=deadline) from None
        except asyncio.IncompleteReadError:
            raise Crashed("crashed", detail=await self._epitaph()) from None
        except TooLong as frame:
            raise _refused(frame, step, result_mb) from None
        except MemoryError:
            setting = "PAGESTREAM_CHILD_MEMORY_MB"
            raise Crashed("out_of_memory", what=step, limit=f"{memory_mb} MiB", setting=setting) from None
        finally:
            if not sound:
                await self.kill()
            await asyncio.to_thread(shutil.rmtree, workdir, ignore_errors=True)

    async def kill(self) -> None:
        """Kill the process and everything it started, and reap it."""
        process, self._process = self._process, None
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        async with self._reading:  # a request that is under way reads to the end of its process first
            await _reap(process)

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process and self._process.returncode is None:
            return self._process
        await self.kill()
        theirs, self._lifeline = os.pipe()
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "shared.harness.sandbox.child", self._module, str(theirs), self._network,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, pass_fds=[theirs],
                start_new_session=True, env={**os.environ, **self._environment},
            )  # fmt: skip
        finally:
            os.close(theirs)
        kind, refused = await _receive(process)
        if kind != READY:
            raise RuntimeError(f"the child said {kind!r} before it was ready")
        self.kept_network = refused.decode()
        if refused:
            log.warning("the kernel leaves the child its network", reason=self.kept_network)
        return process

    async def _exchange(
        self,
        process: asyncio.subprocess.Process,
        body: bytes,
        begun: Callable[[], None],
        on_tick: OnTick,
        on_step: OnStep,
        limit: int,
    ) -> bytes:
        assert process.stdin
        process.stdin.write(FRAME.pack(len(body), REQUEST) + body)
        await process.stdin.drain()
        while True:
            kind, answer = await _receive(process, limit)
            if kind == BEGUN:
                begun()
            elif kind == TICK:
                with contextlib.suppress(orjson.JSONDecodeError):
                    on_tick(orjson.loads(answer))
            elif kind == STEP:
                begun()
                on_step(answer)
            elif kind == DONE:
                return answer
            elif kind == ERROR:
                raise _failure(orjson.loads(answer))
            else:
                raise RuntimeError(f"the child sent an unknown frame {kind!r}")

    async def _epitaph(self) -> str:
        if self._process is None:
            return "it was killed"
        code = await self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _reschedule(limit: asyncio.Timeout, seconds: float) -> None:
    limit.reschedule(asyncio.get_running_loop().time() + seconds)


async def _receive(process: asyncio.subprocess.Process, limit: int = MAX_FRAME) -> tuple[bytes, bytes]:
    """The next frame; a result has at most `limit` bytes. Raises TooLong before it is read, IncompleteReadError."""
    assert process.stdout
    try:
        size, kind = FRAME.unpack(await process.stdout.readexactly(FRAME.size))
        if size > (limit if kind in (STEP, DONE) else MAX_FRAME):
            raise TooLong(kind, size)
        return kind, await process.stdout.readexactly(size)
    except ConnectionError as error:
        raise asyncio.IncompleteReadError(b"", None) from error


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Throw away what a dying process has said, and wait for its end.

    A full pipe is paused, and one that is paused is not seen to end: its descriptor would stay open. `Process.wait`
    would not return either, nor while a process that left the group still holds the pipe.
    """
    assert process.stdout
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while await process.stdout.read(_MIB):
                pass
    while process.returncode is None:
        await asyncio.sleep(0.01)


def _refused(frame: TooLong, step: str, result_mb: int) -> Exception:
    """A result that is too large is the document's; anything else that long is no word of a child of ours."""
    if frame.kind not in (STEP, DONE):
        return Crashed("crashed", detail=f"a message of {frame.size} bytes")
    got, limit = f"{frame.size // _MIB} MiB", f"{result_mb} MiB"
    return Rejected("too_large", what=f"{step}'s result", got=got, limit=limit, setting="PAGESTREAM_RESULT_MB")


def _failure(raw: Mapping[str, Any]) -> Exception:
    match raw["kind"]:
        case "rejected":
            return Rejected(raw["code"], **raw["facts"])
        case "transient":
            return Transient(raw["code"], retry_after=raw["retry_after"], **raw["facts"])
        case "memory":
            return MemoryError()
        case "damaged":
            return BlobDamaged(raw["detail"])
        case _:
            return ChildFailed(raw["traceback"])


class Pool:
    """`size` children; the caller that takes one has it alone until it gives it back.

    They have no network, where the kernel allows to take it away, unless they are `online`.
    """

    def __init__(self, module: str, size: int, idle_seconds: float, *, online: bool = False) -> None:
        environment = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._idle_seconds = idle_seconds
        self._children = [Child(module, ONLINE if online else OFFLINE, environment) for _ in range(size)]
        self._free = list(self._children)
        self._waiting = asyncio.Condition()
        self._retirement: dict[Child, asyncio.TimerHandle] = {}

    @property
    def kept_network(self) -> str:
        """Why the kernel left a child the network that it was to do without; "" where none has it."""
        return next((child.kept_network for child in self._children if child.kept_network), "")

    async def take(self) -> Child:
        """A free child; the one used last first, so that the others may rest."""
        async with self._waiting:
            await self._waiting.wait_for(lambda: self._free)
            child = self._free.pop()
        if timer := self._retirement.pop(child, None):
            timer.cancel()
        return child

    async def give_back(self, child: Child) -> None:
        """Give the child back; after a while of rest its process ends and its memory is free."""
        loop = asyncio.get_running_loop()
        self._retirement[child] = loop.call_later(self._idle_seconds, lambda: loop.create_task(self._retire(child)))
        async with self._waiting:
            self._free.append(child)
            self._waiting.notify()

    async def close(self) -> None:
        """End all processes that rest."""
        for timer in self._retirement.values():
            timer.cancel()
        for child in self._free:
            await child.kill()

    async def _retire(self, child: Child) -> None:
        async with self._waiting:
            if child in self._free:
                await child.kill()
