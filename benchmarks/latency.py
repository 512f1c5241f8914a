"""From a fact that is appended to the frame at a socket that watches: through the log, the fold, MongoDB, the gateway.

One document of a stage that no worker runs, and each fact waits for its own frame: first while everything else is idle,
then while a book of scans has every core.

    python -m benchmarks.latency [--facts 500]
"""

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import orjson
from websockets.asyncio.client import connect

from benchmarks.pages import scanned_pdf
from benchmarks.system import begun, outlasted, system
from shared.events.document import (
    DocumentUploaded,
    Fact,
    SliceCompleted,
    StagePlanned,
    StageStarted,
    utcnow,
)
from shared.events.pipeline import StageLine
from shared.kafka.producer import Producer

IDLE_MS: Final = {"p50": 10.0, "p99": 50.0}
BUSY_MS: Final = {"p99": 250.0}
WARM_UP: Final = 50  # facts that are not counted
_BOOK: Final = 1000  # pages; more than are read meanwhile
_SHARES: Final = {"p50": 0.5, "p99": 0.99}


def main() -> None:
    """Measure and print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=500)
    asyncio.run(measure(parser.parse_args().facts))


async def measure(count: int) -> None:
    """Both cases on one system."""
    async with system() as (running, client), Producer.connect(running.running.kafka) as producer:
        url = str(running.running.gateway)
        report("stages idle", await times(url, producer, count), IDLE_MS)
        with tempfile.TemporaryDirectory() as folder:
            book = Path(folder) / "book.pdf"
            scanned_pdf(_BOOK, book, different=8)
            document_id = (await client.upload(book)).document_id
        await begun(client, document_id)
        report("a book on all cores", await times(url, producer, count), BUSY_MS)
        await outlasted(client, document_id)
        await client.cancel(document_id)


def report(what: str, seconds: Sequence[float], limits: Mapping[str, float]) -> None:
    """A line for each percentile."""
    found = sorted(seconds)
    for name, share in _SHARES.items():
        wanted = f"  (wanted: {limits[name]:g} ms)" if name in limits else ""
        print(f"fact to frame, {what}, {name}: {1000 * found[int(share * len(found))]:6.1f} ms{wanted}", flush=True)


async def times(gateway: str, producer: Producer, count: int) -> list[float]:
    """Seconds from append to frame, for each of so many facts of a new document."""
    found: list[float] = []
    async with aclosing(frames(gateway, producer, count)) as taken:
        async for seconds in taken:
            found.append(seconds)
    return found


async def frames(gateway: str, producer: Producer, most: int) -> AsyncGenerator[float, None]:
    """Seconds from append to frame, for at most so many facts of a new document, one after another."""
    document_id = str(uuid.uuid4())
    for fact in begin(document_id, most + WARM_UP):
        await producer.append(fact)
    url = f"{gateway}/v1/documents/{document_id}/live".replace("http", "ws", 1)
    async with connect(url, subprotocols=["pagestream.v1"], proxy=None) as socket:  # type: ignore[list-item]
        await reached(socket, 3)
        for number in range(most + WARM_UP):
            began = time.perf_counter()
            await producer.append(slice_(document_id, number))
            await reached(socket, 4 + number)
            if number >= WARM_UP:
                yield time.perf_counter() - began


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


def slice_(document_id: str, number: int) -> SliceCompleted:
    """One more slice is done."""
    return SliceCompleted.claim(
        document_id=document_id, claim=str(number), tenant="default", at=utcnow(), producer="bench",
        stage="nobody", attempt=1, plan="p", slice=number, weight=0.001,
    )  # fmt: skip


if __name__ == "__main__":
    main()
