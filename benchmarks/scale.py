"""A system that holds many documents with results, beside an empty one: what reading, waiting and starting cost then.

The empty system is measured first. Then its projections are dropped, the log and the store get the documents, and it
starts: all folds replay the whole log while a letter is uploaded. Everything is measured once all results are stored,
and again after another start.

    python -m benchmarks.scale [--documents 100000] [--requests 40] [--letters 10]

100,000 documents take about a quarter of an hour and 4 GB of disk.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import orjson
from websockets.asyncio.client import connect

from benchmarks.bars import bar
from benchmarks.filled import BATCH_EVERY, COMMON, Letters, batch_of
from benchmarks.idle import memory
from benchmarks.letters import text_letters
from benchmarks.system import completed, settings, started
from cli.programs import PROVISION
from pagestream import PagestreamClient
from shared.events.document import utcnow
from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from shared.storage.mongo import Mongo
from stack.running import Running
from stack.system import System

LIMITS_MS: Final[Mapping[str, float]] = {
    "list": 15, "list by status": 15, "list of a batch": 15, "/v1/system": 30, "/metrics": 50,
    "search, common words": 50, "search, a rare word": 50, "search, a question": 50,
}  # fmt: skip
LIMITS_MB: Final[Mapping[str, float]] = {"services.progress": 300, "services.gateway": 150, "services.ocr": 90}
LETTER: Final = 1.2  # times what a letter takes on the empty system
START_SECONDS: Final = 10.0  # of the second start
LIVE_FOLD: Final = 10_000  # facts a second of a fold that is behind
_FOLDS: Final = 4  # the projector, and a coordinator of each stage
_PAUSE_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 5.0
_PATIENCE: Final = 3600.0
_SLOW: Final = 30.0  # seconds for one request


class Took(NamedTuple):
    """Seconds of one letter: until it is accepted, and from then until it is completed."""

    accepted: float
    completed: float


def main() -> None:
    """Fill a system, measure it empty and full."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=40, help="of each kind (default: 40)")
    parser.add_argument("--letters", type=int, default=10, help="one after the other (default: 10)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pagestream-bench-") as folder:
        asyncio.run(measure(Path(folder), given.documents, given.requests, given.letters))


async def measure(folder: Path, documents: int, requests: int, letters: int) -> None:
    """Everything, in one folder."""
    paths = iter(text_letters(folder, 2 * letters + 6))
    async with running_in(folder) as (running, client):
        for _ in range(3):
            await letter(client, next(paths))
        empty = await figures(str(running.gateway), requests)
        alone = await letters_after_another(client, list(islice(paths, letters)))
    print(f"a letter on the empty system: {1000 * alone.completed:.0f} ms,"
          f" accepted after {1000 * alone.accepted:.0f} ms", flush=True)  # fmt: skip

    async with System(settings(folder), lambda event: None, provision=PROVISION) as infrastructure:
        here = infrastructure.running
        filled = Letters(documents, settings(folder).downloads)
        filled.store(settings(folder).folder / "blobs")
        facts = await filled.append(here.kafka)
        async with mongo.connect(SharedSettings(mongo=here.mongo)) as database:
            await database.client.drop_database(database.projections.name)

    async with (
        started(folder) as system,
        mongo.connect(SharedSettings(mongo=system.running.mongo)) as database,
        PagestreamClient(str(system.running.gateway), patience=_PATIENCE) as client,
    ):
        running, began = system.running, time.perf_counter()
        seconds = await replayed(database, facts)
        print(f"replay of {facts} facts by all live folds: {seconds:.0f} s, {facts / seconds:.0f} facts/s"
              f"  (wanted: {LIVE_FOLD})", flush=True)  # fmt: skip
        await system.ready(_PATIENCE)
        await letter(client, next(paths))  # the stages' children load what they need
        behind = await letter(client, next(paths))
        report_ratio("a letter while old results are stored", behind, alone)
        await stored(database, documents)
        print(f"all results stored {time.perf_counter() - began:.0f} s after the start")
        report_memory("after the replay")
        report(empty, await figures(str(running.gateway), requests))
        report_ratio("a letter", await letters_after_another(client, list(islice(paths, letters))), alone)

    began = time.perf_counter()
    async with running_in(folder) as (running, client):
        print(f"second start ready in {time.perf_counter() - began:.1f} s  (wanted: {START_SECONDS:g} s)")
        await letter(client, next(paths))
        await asyncio.sleep(_SETTLE_SECONDS)
        report_memory("after a second start")


@asynccontextmanager
async def running_in(folder: Path) -> AsyncIterator[tuple[Running, PagestreamClient]]:
    """The whole system, ready, and a client that is patient."""
    async with started(folder) as system:
        await system.ready(_PATIENCE)
        async with PagestreamClient(str(system.running.gateway), patience=_PATIENCE) as client:
            yield system.running, client


async def letter(client: PagestreamClient, path: Path) -> Took:
    """One letter, then a pause."""
    began = time.perf_counter()
    accepted = await client.upload(path)
    answered = time.perf_counter()
    await completed(client, accepted.document_id)
    took = Took(answered - began, time.perf_counter() - answered)
    await asyncio.sleep(_PAUSE_SECONDS)
    return took


async def letters_after_another(client: PagestreamClient, paths: Sequence[Path]) -> Took:
    """The medians of several letters."""
    took = [await letter(client, path) for path in paths]
    return Took(*(statistics.median(seconds) for seconds in zip(*took, strict=True)))


async def replayed(database: Mongo, facts: int) -> float:
    """Wait until every fold has caught up; seconds since the first spoke."""
    since, began = utcnow(), None
    with bar("Replaying", facts) as told:
        while True:
            folds = [row async for row in database.control["status"].find({"at": {"$gt": since}})]
            began = began or (time.perf_counter() if folds else None)
            told(facts - max((row["lag"] for row in folds), default=facts))
            if began and len(folds) >= _FOLDS and all(row["caught_up"] and not row["lag"] for row in folds):
                return time.perf_counter() - began
            await asyncio.sleep(0.25)


async def stored(database: Mongo, documents: int) -> None:
    """Wait until the results of all are in their collections."""
    rows = database.projection("extractions", await database.live_generation() or "")
    with bar("Storing results", documents) as told:
        while (count := await rows.estimated_document_count()) < documents:
            told(count)
            await asyncio.sleep(1)


# ---- what readers ask


async def figures(gateway: str, requests: int) -> dict[str, list[float]]:
    """Seconds of so many requests of each kind, sorted."""
    async with httpx.AsyncClient(base_url=gateway, timeout=_SLOW) as http:
        questions: dict[str, Callable[[int], Awaitable[Any]]] = {
            "list": lambda n: asked(http, "/v1/documents", limit=50),
            "list by status": lambda n: asked(http, "/v1/documents", limit=50, status="completed"),
            "list of a tag": lambda n: asked(http, "/v1/documents", limit=50, tag=f"tag-{n % 50}"),
            "list of a batch": lambda n: asked(http, "/v1/documents", limit=50, batch=batch_of(n * BATCH_EVERY)),
            "snapshot of the feed": lambda n: snapshot(gateway, feed="documents"),
            "snapshot of a batch": lambda n: snapshot(gateway, feed="batch", batch=batch_of(n * BATCH_EVERY)),
            "/v1/system": lambda n: asked(http, "/v1/system"),
            "/metrics": lambda n: asked(http, "/metrics"),
            "/readyz": lambda n: asked(http, "/readyz"),
            "search, common words": lambda n: asked(http, "/v1/search", q=COMMON),
            "search, a rare word": lambda n: asked(http, "/v1/search", q=f"R{n * 10}"),
            "search, a question": lambda n: asked(http, "/v1/search", q="who has to pay for the repair of the quay?"),
        }
        await questions["search, a question"](0)  # its model is loaded by the first
        return {what: [await timed(ask, n) for n in range(requests)] for what, ask in questions.items()}


async def timed(ask: Callable[[int], Awaitable[Any]], number: int) -> float:
    """Seconds of one question."""
    began = time.perf_counter()
    await ask(number)
    return time.perf_counter() - began


async def asked(http: httpx.AsyncClient, path: str, **params: Any) -> None:
    """One request that is answered."""
    (await http.get(path, params=params)).raise_for_status()


async def snapshot(gateway: str, **target: str) -> None:
    """The first frame of a feed."""
    url = "ws" + gateway.removeprefix("http") + "/v1/live"
    async with connect(url, subprotocols=["pagestream.v1"], proxy=None, max_size=None) as socket:  # type: ignore[list-item]
        await socket.send(orjson.dumps({"op": "subscribe", "ref": 1, **target}).decode())
        while orjson.loads(await socket.recv())["op"] != "snapshot":
            pass


# ---- telling


def report(empty: Mapping[str, list[float]], full: Mapping[str, list[float]]) -> None:
    """One line a kind: p50 and p95, empty and full, in ms."""
    print(f"{'ms':<24}{'empty p50':>11}{'p95':>9}{'full p50':>11}{'p95':>9}")
    for what, seconds in full.items():
        cells = "".join(f"{p50:11.1f}{p95:9.1f}" for p50, p95 in map(shares, (empty[what], seconds)))
        print(f"{what:<24}{cells}" + (f"  (wanted: {LIMITS_MS[what]:g})" if what in LIMITS_MS else ""), flush=True)


def shares(seconds: list[float]) -> tuple[float, float]:
    """p50 and p95 in ms."""
    found = sorted(seconds)
    return 1000 * statistics.median(found), 1000 * found[int(0.95 * (len(found) - 1))]


def report_ratio(what: str, took: Took, alone: Took) -> None:
    """How much longer a letter takes than on the empty system."""
    print(f"{what}: {1000 * took.completed:.0f} ms, {took.completed / alone.completed:.2f} × (wanted: {LETTER:g} ×),"
          f" accepted after {1000 * took.accepted:.0f} ms", flush=True)  # fmt: skip


def report_memory(when: str) -> None:
    """Each service's own process, and the database."""
    print(f"MB {when}:")
    for name, megabytes in sorted(memory(os.getpid()), key=lambda item: -item[1]):
        program = name.partition(" (")[0]
        if megabytes >= 20 and not program.startswith("child"):
            print(f"{megabytes:8.0f}  {name}" + (f"  (wanted: {LIMITS_MB[program]:g})" if program in LIMITS_MB else ""))


if __name__ == "__main__":
    main()
