"""What a coordinator's decision costs while very many documents wait.

All belong to one tenant and are not planned yet. Measured in this process, without broker and database: to take them
all, as a coordinator does when it starts; to decide what to send; to take one that has changed; to tell the first
their places in the queue.

    python -m benchmarks.decide [--documents 100000]
"""

import argparse
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Final

from shared.events.document import DocumentUploaded, utcnow
from shared.events.pipeline import PIPELINE
from shared.harness.coordinator.assignment import Assignment, evolve
from shared.harness.coordinator.waiting import Waiting

DECIDE_MS: Final = 5.0  # at most
_TURNS: Final = 200
_SLOTS: Final = 4


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000, help="that wait (default: 100000)")
    documents = parser.parse_args().documents
    waiting, known = Waiting(max_attempts=3), [uploaded(number) for number in range(documents)]
    began = time.perf_counter()
    for assignment in known:
        waiting.put(assignment, frozenset(), None)
    print(f"{documents} documents are taken in {time.perf_counter() - began:.2f} s")
    places = count(0, max(1, documents // _TURNS))
    decide = milliseconds(lambda: waiting.decide(_SLOTS, {}))
    put = milliseconds(lambda: waiting.put(known[next(places) % documents], frozenset(), None))
    print(f"a decision          {decide:7.3f} ms")
    print(f"one that changed    {put:7.3f} ms  (with a decision: wanted at most {DECIDE_MS:.0f} ms)")
    print(f"places in the queue {milliseconds(lambda: list(waiting.queue())):7.3f} ms")


def uploaded(number: int) -> Assignment:
    """A document as the first stage sees it."""
    fact = DocumentUploaded.claim(
        document_id=str(uuid.UUID(int=number)), claim="1", tenant="default", producer="bench", pipeline=tuple(PIPELINE),
        at=utcnow() + timedelta(seconds=number % 5000), size=1, media_type="text/plain",
    )  # fmt: skip
    assignment = evolve(None, fact, PIPELINE[0].stage)
    assert assignment
    return assignment


def milliseconds(work: Callable[[], object]) -> float:
    """The mean time of many turns."""
    began = time.perf_counter()
    for _ in range(_TURNS):
        work()
    return 1000 * (time.perf_counter() - began) / _TURNS


if __name__ == "__main__":
    main()
