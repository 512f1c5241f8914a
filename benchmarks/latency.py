"""From a fact that is appended to the frame at a socket that watches: through the log, the fold, MongoDB, the gateway.

One document of a stage that nobody runs, so that everything else is idle; each fact waits for its own frame.

    python -m benchmarks.latency [--facts 500]
"""

import argparse
import asyncio
import time
import uuid
from typing import Any, Final

import orjson
from websockets.asyncio.client import connect

from benchmarks.system import system
from shared import kafka
from shared.events import DocumentUploaded, Fact, SliceCompleted, StagePlanned, StageStarted, utcnow
from shared.pipeline import StageLine

P50_MS: Final = 10.0
P99_MS: Final = 50.0
WARM_UP: Final = 50  # facts that are not counted


def main() -> None:
    """Measure and print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=500)
    times = sorted(asyncio.run(measure(parser.parse_args().facts)))
    for name, share, limit in (("p50", 0.5, P50_MS), ("p99", 0.99, P99_MS)):
        print(f"fact to frame, {name}: {1000 * times[int(share * len(times))]:6.1f} ms  (wanted: {limit:g} ms)")


async def measure(count: int) -> list[float]:
    """Seconds from append to frame, for each fact."""
    document_id = str(uuid.uuid4())
    times = []
    async with system() as (running, _), kafka.connect(running.running.kafka) as log:
        for fact in begin(document_id, count + WARM_UP):
            await log.append(fact)
        url = f"{running.running.gateway}/v1/documents/{document_id}/live".replace("http", "ws", 1)
        async with connect(url, subprotocols=["pagestream.v1"], proxy=None) as socket:  # type: ignore[list-item]
            await reached(socket, 3)
            for number in range(count + WARM_UP):
                began = time.perf_counter()
                await log.append(piece(document_id, number))
                await reached(socket, 4 + number)
                times.append(time.perf_counter() - began)
    return times[WARM_UP:]


async def reached(socket: Any, facts: int) -> None:
    """Wait for the frame of the state after so many facts."""
    while orjson.loads(await socket.recv()).get("version", 0) < facts * 1_000_000:
        pass


def begin(document_id: str, slices: int) -> list[Fact]:
    """A document whose only stage is planned and under way."""
    common: dict[str, Any] = {"document_id": document_id, "tenant": "default", "at": utcnow(), "producer": "bench"}
    stage: dict[str, Any] = {**common, "stage": "nobody", "attempt": 1}
    pipeline = (StageLine(stage="nobody", weight=1.0),)
    return [
        DocumentUploaded.claim(claim="1", pipeline=pipeline, size=1, media_type="text/plain", **common),
        StageStarted.claim(claim="1", **stage),
        StagePlanned.claim(claim="1", plan="p", slices=slices + 1, weight=1.0, **stage),
    ]


def piece(document_id: str, number: int) -> Fact:
    """One more slice is done."""
    return SliceCompleted.claim(
        document_id=document_id, claim=str(number), tenant="default", at=utcnow(), producer="bench",
        stage="nobody", attempt=1, plan="p", slice=number, weight=0.001,
    )  # fmt: skip


if __name__ == "__main__":
    main()
