"""A stage for tests that does what its slice's `args` ask for, also what no stage should do."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.errors import Rejected, Transient
from shared.harness.contract import Plan, Result, Slice, Task


def plan(task: Task) -> Plan:
    """Two slices; where the document's text names another plan, that one. `little answer bug` names what slices do."""
    match said := task.source.read_text():
        case "spin":
            while True:
                pass
        case "many pieces":
            return Plan(engine="restless", slices=(Slice(),) * 20_001)
        case "many pages":
            return Plan(engine="restless", slices=(Slice(pages=(1, 10**9)),))
        case "no such pages":
            return Plan(engine="restless", slices=(Slice(pages=(3, 1)),))
        case little if little.startswith("little "):
            return Plan(engine=said, slices=tuple(Slice(weight=0.01, args={"do": do}) for do in said.split()[1:]))
        case _:
            return Plan(engine=f"restless/{said}", slices=(Slice(weight=2), Slice(pages=(1, 3))))


def work(task: Task, slice_: Slice) -> Result:
    result: Result = globals()[f"do_{slice_.args['do']}"](task, slice_.args)
    return result


def conclude(task: Task, plan: Plan, results: Sequence[Result | None]) -> Result:
    return {"engine": plan.engine, "results": list(results), "ocr": task.earlier["ocr"]["text"]}


def do_answer(task: Task, args: dict[str, Any]) -> Result:
    return {"pid": os.getpid(), "nice": os.nice(0), "session": os.getsid(0), "threads": os.environ["OMP_THREAD_LIMIT"]}


def do_connect(task: Task, args: dict[str, Any]) -> Result:
    """Try to reach a port of this machine, from here and from a program that is started."""
    where = f"socket.create_connection(('127.0.0.1', {args['port']}), 5)"
    program = subprocess.run([sys.executable, "-c", f"import socket; {where}"], capture_output=True, check=False)
    try:
        socket.create_connection(("127.0.0.1", args["port"]), 5).close()
    except OSError as error:
        return {"here": os.strerror(error.errno or 0), "program": program.returncode == 0}
    return {"here": "connected", "program": program.returncode == 0}


def do_reject(task: Task, args: dict[str, Any]) -> Result:
    raise Rejected("too_large", what="The page", got=3, limit=2, page=7)


def do_fail_for_now(task: Task, args: dict[str, Any]) -> Result:
    raise Transient("provider_unavailable", retry_after=30.0, provider="the model", detail="503")


def do_bug(task: Task, args: dict[str, Any]) -> Result:
    raise ZeroDivisionError("a bug in this stage")


def do_crash(task: Task, args: dict[str, Any]) -> Result:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)
    return {}


def do_exit(task: Task, args: dict[str, Any]) -> Result:
    sys.exit(3)


def do_spin(task: Task, args: dict[str, Any]) -> Result:
    """Spin beside a grandchild."""
    _note_pids(args)
    while True:
        pass


def _note_pids(args: dict[str, Any]) -> None:
    """Start a grandchild; both pids go into a file, since no result will tell them."""
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    path = Path(args["pids"])
    path.with_suffix(".new").write_text(f"{os.getpid()} {grandchild.pid}")
    path.with_suffix(".new").rename(path)


def do_call_c(task: Task, args: dict[str, Any]) -> Result:
    """Beside a grandchild, make one call in C that lasts for hours and lets no Python run."""
    _note_pids(args)
    return {"found": bool(re.match(r"(a+)+$", "a" * 60 + "b"))}


def do_eat(task: Task, args: dict[str, Any]) -> Result:
    held = []
    while True:
        held.append(bytearray(32 * 1024 * 1024))


def do_fill(task: Task, args: dict[str, Any]) -> Result:
    """Write so many bytes beside each other."""
    (task.workdir / "file").write_bytes(bytes(args["bytes"]))
    return {}


def do_chatter(task: Task, args: dict[str, Any]) -> Result:
    print("a chatty library")
    os.write(1, b"\x00\x00\x00\x05tand one in C")
    ctypes.CDLL(None).puts(b"and another")
    sys.stdout.flush()
    return {"said": True}


def do_tick(task: Task, args: dict[str, Any]) -> Result:
    for number in range(100_000):
        task.tick("pages", number / 100_000, page=number)
    return {}


def do_tick_oddly(task: Task, args: dict[str, Any]) -> Result:
    """Whatever a stage may put into a tick, each a while after the one before, or it would not be told."""
    odd: list[Any] = [None, [1, 2], {"a": 1}, 10**30, 2**60, float("nan"), float("inf"), {1}, "x" * 100_000, b"bytes"]
    for value in odd:
        task.tick("restless.odd", 0.5, page=value)
        time.sleep(1.05)
    for code, fraction in ((7, 0.5), ("x" * 5000, 0.5), ("restless.odd", "half"), ("restless.odd", None)):
        task.tick(code, fraction)
        time.sleep(1.05)
    return {}


def do_answer_much(task: Task, args: dict[str, Any]) -> Result:
    return {"text": "x" * 2**21}


def do_scratch(task: Task, args: dict[str, Any]) -> Result:
    """Write where a library would: the private folder, by whichever name."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        by_tempfile = file.name
    Path("relative").write_text("x")
    script = "import tempfile; print(tempfile.mkdtemp())"
    of_grandchild = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    written = (by_tempfile, of_grandchild.strip(), str(Path("relative").absolute()))
    inside = {str(Path(name).parent) for name in written}
    return {
        "workdir": str(task.workdir),
        "inside": sorted(inside),
        "seen": sorted(p.name for p in task.workdir.iterdir()),
    }
