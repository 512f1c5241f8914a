"""From a fact to its frame while the projector has much to do beside its fold.

First while a document of 5,000 pages is erased, then while 10,000 documents are due for their next attempt at once. The
facts are appended as in `benchmarks.latency`, until the work is done.

    python -m benchmarks.beside [--pages 5000] [--documents 10000]
"""

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.latency import BUSY_MS, IDLE_MS, begin, frames, report, slice_, times
from benchmarks.system import blobs_in, system_in
from pagestream import PagestreamClient
from shared.events.document import Fact, Failure, RetryScheduled, StageFailed, StageStarted, utcnow
from shared.kafka.producer import Producer
from shared.runtime.settings import SharedSettings
from shared.storage import blob_names, mongo
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo, Row

DUE_SECONDS: Final = 60.0  # for writing and folding what falls due afterwards
IDLE: Final = 200  # facts that are measured before
LIMIT: Final = 100_000  # facts that are measured; the work ends before
TENANT: Final = "default"
STAGE: Final = "nobody"
_AT_ONCE: Final = 5_000
_LOOK_SECONDS: Final = 0.25
_ERROR: Final = Failure(code="provider_unavailable", facts={"provider": "model", "detail": "503"}, retryable=True)


def main() -> None:
    """Measure and print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5_000)
    parser.add_argument("--documents", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pagestream-bench-") as folder:
        asyncio.run(measure(Path(folder), arguments.pages, arguments.documents))


async def measure(folder: Path, pages: int, documents: int) -> None:
    """Both cases on one system, and before them the time that it takes without."""
    async with AsyncExitStack() as stack:
        running, client = await stack.enter_async_context(system_in(folder))
        here = running.running
        producer = await stack.enter_async_context(Producer.connect(here.kafka))
        database = await stack.enter_async_context(mongo.connect(SharedSettings(mongo=here.mongo)))
        url = str(here.gateway)

        report("nothing beside", await times(url, producer, IDLE), IDLE_MS)
        book = await written(producer, database, blobs_in(folder), pages)
        erasing = erased(client, database, book)
        report(f"{pages} pages are erased", await until(erasing, frames(url, producer, LIMIT)), BUSY_MS)

        due = await failed(producer, database, documents)
        report(
            f"{documents} retries are due", await until(requested(database, due), frames(url, producer, LIMIT)), BUSY_MS
        )


async def until(work: Awaitable[None], measured: AsyncIterator[float]) -> list[float]:
    """What was measured before the work was done."""
    found: list[float] = []
    async with aclosing(measured) as taken:  # type: ignore[type-var]
        async for seconds in taken:
            if not found:
                began, task = time.perf_counter(), asyncio.ensure_future(work)
            found.append(seconds)
            if task.done():
                break
    await task
    print(
        f"the work took {time.perf_counter() - began:.1f} s; {len(found)} facts, the slowest {1000 * max(found):.1f} ms"
    )
    return found


async def written(producer: Producer, database: Mongo, store: Blobs, pages: int) -> str:
    """A document of so many pages, each with its result in the store and its rows in the database."""
    document_id = str(uuid.uuid4())
    for number in range(pages):
        await store.put_result(blob_names.slice_result(TENANT, document_id, STAGE, "p", number), {"page": number})
    await append(producer, [*begin(document_id, pages), *(slice_(document_id, number) for number in range(pages))])
    await reached(database, {"_id": document_id, "view.version": {"$gte": (pages + 3) * 1_000_000}}, 1)
    return document_id


async def erased(client: PagestreamClient, database: Mongo, document_id: str) -> None:
    """Delete a document and wait until nothing of it is left."""
    await client.delete(document_id)
    await reached(database, {"_id": document_id, "settled.erased": True}, 1)


async def failed(producer: Producer, database: Mongo, documents: int) -> datetime:
    """Documents whose stage has failed and is due again at the moment returned."""
    due = utcnow() + timedelta(seconds=DUE_SECONDS)
    await append(producer, [fact for _ in range(documents) for fact in failure(str(uuid.uuid4()), due)])
    await reached(database, {"view.status": "retrying"}, documents)
    if utcnow() >= due:
        raise RuntimeError("the retries were due before all of them were folded")
    await asyncio.sleep((due - utcnow()).total_seconds() - 1.0)
    return due


def failure(document_id: str, due: datetime) -> list[Fact]:
    """A document that waits for its second attempt."""
    common: dict[str, Any] = {"document_id": document_id, "tenant": TENANT, "at": utcnow(), "producer": "bench"}
    stage: dict[str, Any] = {**common, "stage": STAGE}
    return [
        begin(document_id, 1)[0],
        StageStarted.claim(claim="1", attempt=1, **stage),
        StageFailed.claim(claim="1", attempt=1, error=_ERROR, final=False, **stage),
        RetryScheduled.claim(claim="2", attempt=2, error=_ERROR, due_at=due, **stage),
    ]


async def requested(database: Mongo, due: datetime) -> None:
    """Wait until every attempt that is due is asked for."""
    await asyncio.sleep((due - utcnow()).total_seconds())
    await reached(database, {"view.status": "retrying"}, 0)


async def append(producer: Producer, facts: Sequence[Fact]) -> None:
    """Append many facts in their order."""
    for first in range(0, len(facts), _AT_ONCE):
        await producer.append_all([(fact, ()) for fact in facts[first : first + _AT_ONCE]])


async def reached(database: Mongo, query: Row, count: int) -> None:
    """Wait until so many documents match."""
    rows = database.projection("documents", str(await database.live_generation()))
    while await rows.count_documents(query) != count:
        await asyncio.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
