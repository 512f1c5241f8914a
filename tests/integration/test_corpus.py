"""Every document of the corpus through the real system: each ends as it is expected to, in bounded time and memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.support import corpus, processes
from tests.support.corpus import Entry, Outcome
from tests.support.running_system import ENDED, RunningSystem

_AT_ONCE = 8  # more would only lengthen everybody's queue
_SECONDS = 240.0  # until a document has ended, while seven others are worked on
_CHILD_MEMORY = 1024  # MiB

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("tier", ["core", pytest.param("extra", marks=pytest.mark.soak)])
async def test_every_document_ends_as_expected(tier: str, system: RunningSystem) -> None:
    found = corpus.folder()
    if found is None:
        pytest.skip("there is no corpus beside the checkout, and PAGESTREAM_CORPUS names none")
    places = asyncio.Semaphore(_AT_ONCE)

    async def run(entry: Entry) -> tuple[Entry, Outcome]:
        async with places:
            return entry, await outcome(system, entry)

    async with peak_memory(system) as peak:
        rows = await asyncio.gather(*(run(entry) for entry in corpus.entries(found, tier)))
    table = f"{corpus.table(rows)}\n  largest process of the OCR service: {max(peak, default=0)} MiB"
    print(table)
    assert not [entry.path.name for entry, got in rows if corpus.deviation(entry, got)], table
    assert max(peak, default=0) <= _CHILD_MEMORY, table


async def outcome(system: RunningSystem, entry: Entry) -> Outcome:
    """Upload a document and wait for its end."""
    where = {"filename": entry.path.name, "force": "true"}
    data = await asyncio.to_thread(Path.read_bytes, entry.path)
    answer = await system.call("POST", "/v1/documents", params=where, content=data)
    if answer.status_code != 202:
        return Outcome("failed", answer.json()["code"])
    view = await system.until(answer.json()["document_id"], ENDED, _SECONDS)
    ended = view["completed_at"] or view["updated_at"]
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(view["uploaded_at"])).total_seconds()
    if view["status"] != "completed":
        return Outcome(view["status"], view["error"]["code"], seconds=seconds)
    text = await system.get(f"{view['document_id']}/text")
    return Outcome("completed", text=text["text"], seconds=seconds)


@asynccontextmanager
async def peak_memory(system: RunningSystem) -> AsyncIterator[list[int]]:
    """The highest resident memory (MiB) of each process seen below the OCR service, looked at every half second."""
    peaks: list[int] = []

    async def look() -> None:
        while True:
            peaks.extend(processes.peak_memory(one) for one in system.below("ocr"))
            await asyncio.sleep(0.5)

    looking = asyncio.create_task(look())
    try:
        yield peaks
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
