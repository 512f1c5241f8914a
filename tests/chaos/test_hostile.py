"""Documents that are made to be large or slow: they come to an end in words, and nobody else waits for them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import pytest

from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault

SIZE: Final = 900_000  # bytes
READ: Final = 60_000  # of what becomes text: embedding so much takes half a minute for all of them
HEAD: Final = "From: a\nTo: b\nDate: d\nSubject: s\n"
HOSTILE: Final = {
    "comments.html": "<html>" + "<!--" * (READ // 4),
    "short comments": "<!---->" * (READ // 7) + "x",
    "scripts.html": "<html><script>" + "</" * (SIZE // 2),
    "quotes.html": "<html>" + "<a x='" * (READ // 6),
    "parameters.eml": f'{HEAD}Content-Type: text/plain; a="' + ";" * SIZE + "\n\nhi\n",
    "nested.eml": HEAD
    + "".join(f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(SIZE // 60)),
    "headers.eml": HEAD + "X-A: b\n" * (SIZE // 7) + "\nhi\n",
    "deep.json": "[" * READ,
    "addresses.txt": "a@a." * (READ // 4),
    "numbers.txt": "1 1.1,1-" * (READ // 8),
    "dates.txt": "1 Jan 1, " * (READ // 9),
    "headings.txt": "# " * (READ // 2),
    "spaces.txt": "x" + " " * SIZE + "x",
}
CALM: Final = 0.05  # seconds for /healthz, in 99 of 100 calls; the machine has two cores for everything

pytestmark = [pytest.mark.timeout(420), pytest.mark.soak]


@asynccontextmanager
async def calm(url: str) -> AsyncIterator[list[float]]:
    """How long /healthz took, asked all the time.

    The machine may be busy with other tests: how late a sleeping loop wakes up is measured beside it and allowed for.
    """
    waits: list[float] = []
    late: list[float] = []

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False, verify=False) as http:
            while True:
                began = time.monotonic()
                assert (await http.get("/healthz")).status_code == 200
                answered = time.monotonic()
                waits.append(answered - began)
                await asyncio.sleep(0.01)
                late.append(time.monotonic() - answered - 0.01)

    asking = asyncio.create_task(ask())
    try:
        yield waits
    finally:
        still = not asking.done()
        asking.cancel()
    assert still, "the gateway did not answer"
    allowed = CALM + 2 * _p99(late)  # the answer needs two processes to wake up
    assert _p99(waits) < allowed, f"{_p99(waits)} s; {allowed} s were allowed; the longest were {sorted(waits)[-5:]}"


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100]


async def test_25_files_that_are_made_to_be_slow(system: ChaosSystem, fault: Fault) -> None:
    """Each ends once, within the time of its stage, and the gateway answers throughout."""
    await system.until_ready()
    with fault(25, f"{len(HOSTILE)} files that are made to be slow"):
        async with calm(system.url):
            ids = [await system.upload(text.encode(), name) for name, text in HOSTILE.items()]
        beside = await system.upload(pictures.note(0), "note.txt")
        await system.completed(beside)
        views = await system.until_ended(*ids, within=300)
        for name, view in zip(HOSTILE, views, strict=True):
            attempts = {stage: of["attempt"] for stage, of in view["stages"].items()}
            assert set(attempts.values()) == {1}, (name, attempts, view["error"])
            assert view["status"] == "completed" or view["error"]["message"], name
        await system.check()


async def test_23_a_table_with_more_findings_than_the_database_takes(system: ChaosSystem, fault: Fault) -> None:
    row = "2024-{:02d}-{:02d}; Customer {n}; c{n}@shop{n}.example; +49 30 {m:07d}; EUR {n}.50; invoice no. R-{n:06d}\n"
    table = "".join(row.format(n % 12 + 1, n % 28 + 1, n=n, m=n + 1_000_000) for n in range(9_000))
    with fault(23, "a table of 9,000 rows, three findings of its own in each"):
        large = await system.upload(table.encode(), "table.csv")
        others = [await system.upload(pictures.note(n), f"{n}.txt") for n in range(3)]
        await system.completed(*others)
        await system.completed(large, within=360)
        async with httpx.AsyncClient(base_url=system.url, timeout=60) as http:
            found = (await http.get(f"/v1/documents/{large}/extraction")).json()
        assert "findings_capped" in [warning["code"] for warning in found["warnings"]]
        assert len(found["findings"]) == 20_000
        await system.check()
