"""The idle system: memory by process (proportional set size), CPU time, and how long its second start takes.

python -m benchmarks.idle [--seconds 30]
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.system import started

MEGABYTES: Final = 1200  # all processes together, at most
CHILD: Final = "shared.harness.sandbox.child"  # the module that runs a stage's functions
SECONDS: Final = 15.0  # until a second start is ready, at most
CPU: Final = 0.06  # of a core, all processes together, at most
_SETTLE_SECONDS: Final = 20.0  # what a start allocates and compiles
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Start twice, measure the second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="for which CPU time is counted (default: 30)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="pagestream-bench-") as folder:
        asyncio.run(measure(Path(folder), seconds))


async def measure(folder: Path, seconds: float) -> None:
    """Print the seconds until ready, the megabytes and the CPU time by process."""
    for start in ("first", "second"):
        began = time.perf_counter()
        async with started(folder) as running:
            await running.ready(60.0)
            ready = time.perf_counter() - began
            print(f"{start} start ready in {ready:.1f} s" + (f"  (wanted: {SECONDS:g} s)" if start == "second" else ""))
            if start == "second":
                await asyncio.sleep(_SETTLE_SECONDS)
                report(dict(memory(os.getpid())))
                before = cpu_seconds()
                await asyncio.sleep(seconds)
                report_cpu({name: (spent - before[name]) / seconds for name, spent in cpu_seconds().items()})


def report_cpu(found: dict[str, float]) -> None:
    """One line a process, as a share of one core, and the sum."""
    for name, share in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{share:7.1%} of a core  {name}")
    print(f"{sum(found.values()):7.1%} of a core  together  (wanted: {CPU:.0%})")


def cpu_seconds() -> dict[str, float]:
    """CPU seconds so far by program, with those of its children that have ended; our own are left out."""
    found: defaultdict[str, float] = defaultdict(float)
    for pid, name in programs(os.getpid()):
        try:
            numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[name] += sum(map(int, numbers[11:15])) / _TICKS
    return found


def report(found: dict[str, float]) -> None:
    """One line a process and the sum."""
    for name, megabytes in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{megabytes:7.0f} MB  {name}")
    print(f"{sum(found.values()):7.0f} MB  together  (wanted: {MEGABYTES} MB)")


def memory(parent: int) -> Iterator[tuple[str, float]]:
    """Name and Pss in MB of every process below `parent`, and of `parent` itself as the supervisor."""
    yield "supervisor", pss(parent)
    for pid, name in programs(parent):
        yield f"{name} ({pid})", pss(pid)


def programs(parent: int) -> Iterator[tuple[int, str]]:
    """Every process below `parent` and what it runs; what ends meanwhile is left out."""
    for pid in descendants(parent):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if CHILD in words:
            yield pid, f"child of {words[words.index(CHILD) + 1].rpartition('.')[0]}"
        else:
            yield pid, next((word for word in words if word.startswith(("services.", "kafka."))), Path(words[0]).name)


def descendants(parent: int) -> Iterator[int]:
    """Every process below `parent`; what ends meanwhile is left out."""
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            pids = children.read_text().split()
        except OSError:
            continue
        for pid in map(int, pids):
            yield pid
            yield from descendants(pid)


def peak(pid: int) -> float:
    """The most a process ever had resident, in MB; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def pss(pid: int) -> float:
    """Proportional set size in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
