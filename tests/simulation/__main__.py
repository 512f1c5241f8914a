"""Run seeds of the simulation.

    python -m tests.simulation [--seeds 1000] [--from 0] [--jobs 2] [--seed N] [--keep-going] [--whole] [--ignore I11]

A failing seed is told as a story after it was shrunk; exit status 1 if there was one. `--seed` runs one and tells its
story, failing or not; `--whole` does not shrink.
"""

import argparse
import gc
import os
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from tests.simulation import story
from tests.simulation.run import Outcome, run
from tests.simulation.scenario import draw
from tests.simulation.shrink import shrunk

CHUNK = 20  # seeds of one process, which keeps all of their worlds in memory
SILENT_SECONDS = 120.0  # a world takes a tenth of a second


@dataclass
class Chunk:
    """Some seeds in a process of their own."""

    pid: int
    pipe: Connection
    left: list[int]  # the seeds that it has not told of


def main() -> int:
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is chance too
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    gc.disable()  # worlds are never torn down, and processes are short
    asked = arguments()
    if asked.seed is not None:
        return tell(run(draw(asked.seed)), whole=asked.whole or not asked.shrink)
    failed, began, done = 0, time.perf_counter(), 0
    died: list[int] = []
    for seed, failure in outcomes(range(asked.first, asked.first + asked.seeds), asked.jobs, died):
        done += 1
        if failure is not None and not failure.kinds <= set(asked.ignore):
            failed += 1
            print(f"seed {seed} fails: {'; '.join(map(str, failure.violations[:2]))[:300]}", flush=True)
            if failed <= asked.stories:
                print(in_child(seed, whole=asked.whole), flush=True)
            if not asked.keep_going:
                break
        if done % 100 == 0:
            rate = done / (time.perf_counter() - began)
            print(f"{done} seeds, {failed} failed, {rate:.1f} seeds/s", flush=True)
    print(f"{done} seeds from {asked.first}, {failed} failed, {done / (time.perf_counter() - began):.1f} seeds/s")
    for seed in died:
        print(f"seed {seed} fails: its process died, or was silent for {SILENT_SECONDS:.0f} s")
    return 1 if failed or died else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int)
    parser.add_argument("--stories", type=int, default=1, help="how many failures are told at length")
    parser.add_argument("--ignore", action="append", default=[], help="a kind of violation that is known, such as I11")
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--whole", action="store_true", help="tell a failure as it was, not shrunk")
    parser.add_argument("--shrink", action="store_true", help="with --seed: make it smaller first")
    return parser.parse_args()


def tell(outcome: Outcome, *, whole: bool) -> int:
    if outcome.violations and not whole:
        outcome = shrunk(outcome)
    print(story.tell(outcome), flush=True)
    leave(1 if outcome.violations else 0)


def in_child(seed: int, *, whole: bool) -> str:
    """The story of a seed, told in a process of its own."""
    mine, theirs = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        outcome = run(draw(seed))
        theirs.send(story.tell(outcome if whole or not outcome.violations else shrunk(outcome)))
        leave(0)
    theirs.close()
    try:
        told: str = mine.recv()
    except EOFError:
        told = "its process died"
    os.waitpid(pid, 0)
    return told


def outcomes(seeds: range, jobs: int, died: list[int]) -> Iterator[tuple[int, Outcome | None]]:
    """Each seed, with its outcome if it failed. `died` gets the seeds whose process ended without a word of them."""
    chunks = iter([seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)])
    running: list[Chunk] = []
    try:
        while True:
            while len(running) < jobs and (chunk := next(chunks, None)) is not None:
                running.append(started(chunk))
            if not running:
                return
            ready = wait([one.pipe for one in running], timeout=SILENT_SECONDS)
            if not ready:  # time stands still in a world
                for one in running:
                    os.kill(one.pid, 9)
            for pipe in ready:
                one = next(one for one in running if one.pipe is pipe)
                try:
                    seed, outcome = pickle.loads(one.pipe.recv_bytes())
                except EOFError:
                    os.waitpid(one.pid, 0)
                    running.remove(one)
                    died.extend(one.left[:1])  # those after it were not begun
                    continue
                one.left.remove(seed)
                yield seed, outcome
    finally:
        for one in running:
            os.kill(one.pid, 9)
            os.waitpid(one.pid, 0)


def started(seeds: range) -> Chunk:
    mine, theirs = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        for seed in seeds:
            outcome = run(draw(seed))
            theirs.send_bytes(pickle.dumps((seed, small(outcome) if outcome.violations else None)))
        leave(0)
    theirs.close()
    return Chunk(pid, mine, list(seeds))


def small(outcome: Outcome) -> Outcome:
    return outcome._replace(story=[])


def leave(code: int) -> Any:
    """At once: worlds that were are never torn down."""
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
