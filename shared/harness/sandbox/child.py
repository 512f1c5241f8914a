"""A child process of a worker: does one slice of a stage's work at a time and can be killed with all it started.

It is started as `python -m shared.harness.sandbox.child MODULE LIFELINE NETWORK`, in a session of its own. Requests
come on standard input. Replies go out on what was standard output; that descriptor then points to standard error, so
that a chatty library cannot break the protocol. A frame is a length (4 bytes, big endian), a kind (1 byte) and a body.
The reply to a request is DONE with the result, or ERROR; where a plan is carried out at once, a STEP with each result
before the last.
LIFELINE is the reading end of a pipe that no process writes to and whose other end only the worker has. NETWORK is
ONLINE or OFFLINE; the body of the first frame holds the reason where a child cannot be taken offline.
"""

import fcntl
import importlib
import os
import resource
import select
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson

from shared.errors import PagestreamError, Transient
from shared.harness.contract import Document, Plan, Result, Slice, Stage, Task
from shared.harness.sandbox import network
from shared.harness.sandbox.cores import Core
from shared.runtime.tracebacks import summarize
from shared.storage.blobs import BlobDamaged, no_space_here, seal, unseal

READY, REQUEST, BEGUN, TICK, STEP, DONE, ERROR = b"h", b"q", b"b", b"t", b"s", b"r", b"e"
ONLINE, OFFLINE = "online", "offline"
FRAME: Final = struct.Struct(">Ic")
MAX_FRAME: Final = 64 * 1024  # bytes of any frame but a result

_F_SETSIG: Final = 10  # linux/fcntl.h; the module has no name for it
_TICK_SECONDS: Final = 0.1
_TICK_FRACTION: Final = 0.01


def main() -> None:
    """Serve requests until standard input closes."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _die_with_worker(int(sys.argv[2]))
    os.nice(10)
    refused = network.leave() if sys.argv[3] == OFFLINE else None  # before a library starts a thread
    stage = cast(Stage, importlib.import_module(sys.argv[1]))
    send(replies, READY, (refused or "").encode())
    while (frame := receive(requests)) is not None:
        _, body = frame
        try:
            reply = serve(stage, orjson.loads(body), replies)
        except BaseException as error:  # every way to fail becomes a reply; the parent decides what it means
            send(replies, ERROR, encode_failure(error))
        else:
            send(replies, DONE, reply)


def serve(stage: Stage, request: Mapping[str, Any], replies: BinaryIO) -> bytes:
    """Do what the request asks for, as soon as a core is free if it needs one; the sealed result."""
    document, cores = Document.model_validate(request["document"]), request["cores"]
    core = Core(Path(cores["folder"]), cores["count"], document.tenant, request.get("rank", 0))
    with ExitStack() as held:
        if request["needs_core"]:
            held.enter_context(core.computing())
        send(replies, BEGUN, b"")
        task = Task(
            document=document,
            source=Path(request["source"]),
            workdir=Path(request["workdir"]),
            earlier=Results(request["earlier"]),
            machine=Path(cores["folder"]),
            tick=Ticker(replies),
            waiting=core.waiting,
        )
        _enter(task.workdir, request)
        return do(stage, request, task, replies)


def do(stage: Stage, request: Mapping[str, Any], task: Task, replies: BinaryIO) -> bytes:
    """Call the function that the request names; its sealed result."""
    match request["function"]:
        case "plan":
            plan = stage.plan(task)
            sealed = seal(plan.model_dump(mode="json"))
            return do_at_once(stage, request, task, sealed, replies) if is_little(plan, request) else sealed
        case "work":
            return seal(stage.work(task, Slice.model_validate(request["slice"])))
        case "conclude":
            plan = Plan.model_validate(load(request["plan"]))
            return seal(stage.conclude(task, plan, SliceResults(request["results"])))
        case unknown:
            raise ValueError(f"no such function: {unknown}")


def is_little(plan: Plan, request: Mapping[str, Any]) -> bool:
    """Whether the request wants a plan like this one carried out at once."""
    limits = request.get("at_once", {"slices": 0, "seconds": 0})
    return bool(len(plan.slices) <= limits["slices"] and plan.weight <= limits["seconds"])


def do_at_once(stage: Stage, request: Mapping[str, Any], task: Task, planned: bytes, replies: BinaryIO) -> bytes:
    """Carry out the sealed plan: hand over itself and the result of each slice; the sealed conclusion."""

    def step(name: str) -> Task:
        folder = task.workdir / name
        folder.mkdir()
        _enter(folder, request)
        return replace(task, workdir=folder, tick=Ticker(replies))

    send(replies, STEP, planned)
    plan = Plan.model_validate(unseal(planned))  # as a worker would have it from the store
    results = list[Result | None]()
    for number, slice_ in enumerate(plan.slices):
        sealed = seal(stage.work(step(str(number)), slice_))
        send(replies, STEP, sealed)
        results.append(unseal(sealed))
    return seal(stage.conclude(step("conclusion"), plan, results))


def _enter(workdir: Path, request: Mapping[str, Any]) -> None:
    """Begin a step in its own folder, with all of its memory and time before it."""
    _limit(request["memory"], request["cpu_seconds"])
    os.chdir(workdir)
    os.environ["TMPDIR"] = tempfile.tempdir = str(workdir)  # the module remembers its first answer


def load(path: str) -> Any:
    """A sealed JSON value from a file."""
    return unseal(Path(path).read_bytes())


class Results(Mapping[str, Result]):
    """What the earlier stages concluded, each read when first looked at."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = paths
        self._loaded: dict[str, Result] = {}

    def __getitem__(self, stage: str) -> Result:
        if stage not in self._loaded:
            self._loaded[stage] = load(self._paths[stage])
        return self._loaded[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class SliceResults(Sequence[Result | None]):
    """The results of a plan's slices, each read when looked at and not kept; None where a slice has none."""

    def __init__(self, paths: Sequence[str | None]) -> None:
        self._paths = paths

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        path = self._paths[number]
        return None if path is None else load(path)

    def __len__(self) -> int:
        return len(self._paths)


class Ticker:
    """Sends ticks, at most one every 100 ms or whole percent: a stage may report a million steps without harm."""

    def __init__(self, replies: BinaryIO) -> None:
        self._replies = replies
        self._fraction = -1.0
        self._at = 0.0

    def __call__(self, code: str, fraction: float = 0.0, /, **params: Any) -> None:
        """Never raises: a tick must not fail the work, so only the valid part of an odd one is sent."""
        try:
            self._report(code, fraction, params)
        except (TypeError, ValueError) as error:
            print(f"a tick is dropped: {error!r:.200}", file=sys.stderr)

    def _report(self, code: str, fraction: float, params: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if now - self._at < _TICK_SECONDS or (fraction - self._fraction < _TICK_FRACTION and now - self._at < 1.0):
            return
        self._at, self._fraction = now, fraction
        tick = {"code": code, "fraction": min(1.0, max(0.0, fraction)), "params": params}
        body = orjson.dumps(tick, default=repr)
        if len(body) < MAX_FRAME:  # the worker would not read it, and kill us
            send(self._replies, TICK, body)


def describe_failure(error: BaseException) -> dict[str, Any]:
    """An error as the parent reads it: its kind, its code, its facts."""
    if isinstance(error, MemoryError):
        return {"kind": "memory"}
    error = no_space_here(error) or error
    if isinstance(error, BlobDamaged):
        return {"kind": "damaged", "detail": str(error)}
    if not isinstance(error, PagestreamError):
        return {"kind": "bug", "traceback": summarize(error, limit=20)}
    if isinstance(error, Transient):
        return {"kind": "transient", "code": error.code, "facts": error.facts, "retry_after": error.retry_after}
    return {"kind": "rejected", "code": error.code, "facts": error.facts}


def encode_failure(error: BaseException) -> bytes:
    """The failure as a frame's body; one that is too long for a frame is reported as a bug."""
    body = orjson.dumps(describe_failure(error), default=str, option=orjson.OPT_NON_STR_KEYS)
    if len(body) < MAX_FRAME:
        return body
    return orjson.dumps({"kind": "bug", "traceback": f"{type(error).__name__} with {len(body)} bytes of facts"})


def send(stream: BinaryIO, kind: bytes, body: bytes) -> None:
    """Write one frame."""
    stream.write(FRAME.pack(len(body), kind) + body)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Read one frame; None at the end of the stream."""
    head = stream.read(FRAME.size)
    if len(head) < FRAME.size:
        return None
    size, kind = FRAME.unpack(head)
    return kind, stream.read(size)


def _die_with_worker(lifeline: int) -> None:
    """Let the kernel kill this whole group when the worker is gone, however it died and whatever we are doing.

    The kernel then closes the other end of the pipe and sends the chosen signal to the chosen group (fcntl(2)). A
    handler of ours would wait for the end of a long call in C, and the parent-death signal does not reach our children.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgid(0))
    fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it died before
        os.killpg(os.getpgid(0), signal.SIGKILL)


def _limit(memory: int, cpu_seconds: float) -> None:
    """Bound the address space (bytes) and the CPU time of this slice; the process is reused, so time is added up."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + cpu_seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
