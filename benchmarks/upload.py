"""What an upload costs: how much the gateway's memory grows by 1 GiB, and how long a small one takes until its 202.

python -m benchmarks.upload [--megabytes 1024] [--small 200]
"""

import argparse
import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from statistics import median
from typing import Final

import httpx

from benchmarks.idle import peak, programs
from benchmarks.system import completed, system

GROWTH_MB: Final = 32.0
P50_MS: Final = 15.0
_WARM_UP: Final = 5  # uploads that are not counted
_MEGABYTE: Final = 1024 * 1024


async def measure(megabytes: int, small: int) -> None:
    """Print one line for each promise; small ones each by itself, and then as fast as one client can."""
    async with (
        system() as (running, client),
        httpx.AsyncClient(base_url=str(running.running.gateway), timeout=600) as http,
    ):
        alone = []
        for _ in range(_WARM_UP + small // 4):
            seconds, document_id = await timed(http)
            alone.append(seconds)
            await completed(client, document_id)
        report("the stages idle", alone[_WARM_UP:])
        report("one after another", [(await timed(http))[0] for _ in range(small)])
        gateway = next(pid for pid, name in programs(os.getpid()) if name == "services.gateway")
        before = peak(gateway)
        began = time.perf_counter()
        answer = await http.post("/v1/documents", content=stream(megabytes), params={"filename": "large.pdf"})
        took = time.perf_counter() - began
        answer.raise_for_status()
        print(f"{megabytes} MiB in {took:.1f} s; the gateway grew by {peak(gateway) - before:.1f} MB ", end="")
        print(f"(wanted: {GROWTH_MB:g} MB)")


def report(what: str, seconds: Sequence[float]) -> None:
    """One line: how long a small upload takes."""
    print(f"small upload to 202, {what}, p50: {1000 * median(seconds):.1f} ms  (wanted: {P50_MS:g} ms)", flush=True)


async def timed(http: httpx.AsyncClient) -> tuple[float, str]:
    """Seconds until a small upload is answered, and the document's id."""
    began = time.perf_counter()
    answer = await http.post("/v1/documents", content=f"A letter, {uuid.uuid4()}.".encode())
    seconds = time.perf_counter() - began
    if answer.status_code != 202:
        raise SystemExit(answer.text)
    return seconds, answer.json()["document_id"]


async def stream(megabytes: int) -> AsyncIterator[bytes]:
    """What looks like a PDF of so many MiB, never more than one of them in memory."""
    yield b"%PDF-1.7 " + uuid.uuid4().bytes + bytes(_MEGABYTE - 25)
    for _ in range(megabytes - 1):
        yield bytes(_MEGABYTE)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--small", type=int, default=200)
    wanted = parser.parse_args()
    asyncio.run(measure(wanted.megabytes, wanted.small))


if __name__ == "__main__":
    main()
