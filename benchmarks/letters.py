"""What one letter costs: many small documents at once, against the same functions in a plain pool of processes.

- Text letters (a page of text) and scans (a page at 300 dpi), each unlike the others, uploaded at once. Documents a
  second from the first `DocumentUploaded` to the last `DocumentCompleted` in the log, and when the first, half and all
  are completed.
- CPU seconds a document by process. The children of the stages do the work; everything else is the machinery.
- Statements to MongoDB and records to Kafka a document.
- The limit: `plan`, `work` and `conclude` of the three stages on the same documents in a pool of one process a core.
- One text letter at a time on the idle system: from `202` to `completed`.

    python -m benchmarks.letters [--text 300] [--scans 100] [--alone 30]
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from aiokafka import TopicPartition

from benchmarks.bars import bar
from benchmarks.idle import cpu_seconds
from benchmarks.pages import scanned_pdf
from benchmarks.pipeline import environment_of
from benchmarks.system import completed, settings, started
from pagestream import PagestreamClient
from shared.events.pipeline import PIPELINE
from shared.harness.contract import Document, Task
from shared.kafka import topics
from shared.kafka.consumer import consuming
from shared.runtime.settings import SharedSettings, read
from shared.storage import mongo
from stack import tesseract
from stack.running import Running

AGAINST_POOL: Final = 0.5  # times the documents a second of the plain pool, at least
MACHINERY: Final = 0.10  # CPU seconds a text letter outside of the three functions, at most
ALONE: Final = 0.25  # seconds from `202` to `completed` on an idle system, p50, at most

_AT_ONCE: Final = 16  # uploads under way
_WRITES: Final = ("insert", "update", "delete", "findAndModify", "bulkWrite")
_READS: Final = ("find", "aggregate", "getMore", "count", "distinct")


def main() -> None:
    """Measure both kinds of letters, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=int, default=300, help="text letters (default: 300)")
    parser.add_argument("--scans", type=int, default=100, help="scanned letters (default: 100)")
    parser.add_argument("--alone", type=int, default=30, help="letters on an idle system (default: 30)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pagestream-bench-") as folder:
        where = Path(folder)
        kinds = {"text letters": text_letters(where, given.text), "scans": scans(where, given.scans)}
        alone = text_letters(where, given.alone, first=given.text)
        pool = {kind: in_a_pool(paths, where) for kind, paths in kinds.items() if paths}
        asyncio.run(measure(where, kinds, alone, pool))


def text_letters(folder: Path, count: int, first: int = 0) -> list[Path]:
    """A page of text each."""
    paths = [folder / f"letter-{number}.txt" for number in range(first, first + count)]
    for number, path in enumerate(paths, first):
        lines = (
            f"Letter {number} of the harbour office",
            f"Dated 2025-03-{number % 28 + 1:02}, reference HO-{number:05}.",
            *(f"Paragraph {line}: the ring at berth {number + line} was replaced." for line in range(24)),
            f"Amount due: {number + 100}.50 EUR. Questions: office-{number}@harbour.example",
        )
        path.write_text("\n".join(lines))
    return paths


def scans(folder: Path, count: int) -> list[Path]:
    """A scanned page each."""
    paths = [folder / f"scan-{number}.pdf" for number in range(count)]
    with bar("Drawing scans", count) as drawn:
        for number, path in enumerate(paths):
            scanned_pdf(1, path, first=number)
            drawn(number + 1)
    return paths


# ---- the plain pool


def in_a_pool(paths: Sequence[Path], folder: Path) -> tuple[float, float]:
    """Documents a second, and CPU seconds a document."""
    environment = environment_of(tesseract.find(packaged_only=False))
    environment["PAGESTREAM_CACHE"] = str(settings(folder).cache)
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, initializer=prepare, initargs=(environment,)) as pool:
        list(pool.map(process, [paths[0]] * cores * 2))  # imports, models
        began = time.perf_counter()
        with bar("A plain pool", len(paths)) as told:
            spent = 0.0
            for done, seconds in enumerate(pool.map(process, paths), start=1):
                spent += seconds
                told(done)
        return len(paths) / (time.perf_counter() - began), spent / len(paths)


def prepare(environment: Mapping[str, str]) -> None:
    """Let the stages find what they need."""
    os.environ.update(environment)


def process(path: Path) -> float:
    """The three stages of one document; their CPU seconds with those of what they started."""
    began = sum(os.times()[:4])
    size = path.stat().st_size
    document = Document(document_id="d", tenant="t", filename=path.name, content_type=None, size=size)
    earlier: dict[str, Any] = {}
    for line in PIPELINE:
        stage = import_module(f"{line.service}.handlers")
        with tempfile.TemporaryDirectory() as workdir:
            task = Task(document, path, Path(workdir), earlier)
            plan = stage.plan(task)
            earlier[line.stage] = stage.conclude(task, plan, [stage.work(task, slice_) for slice_ in plan.slices])
    return sum(os.times()[:4]) - began


# ---- the system


async def measure(
    folder: Path,
    kinds: Mapping[str, Sequence[Path]],
    alone: Sequence[Path],
    pool: Mapping[str, tuple[float, float]],
) -> None:
    """Run a system and print what each kind of letter took."""
    async with started(folder) as system:
        await system.ready(60.0)
        running = system.running
        async with PagestreamClient(str(running.gateway)) as client:
            for path in text_letters(folder, 4, first=1_000_000):
                await completed(client, (await client.upload(path)).document_id)
            if alone:
                await one_at_a_time(client, alone)
            for kind, paths in kinds.items():
                if paths:
                    await together(kind, client, running, paths, pool[kind])


async def one_at_a_time(client: PagestreamClient, paths: Sequence[Path]) -> None:
    """Print how long a letter takes on the idle system."""
    seconds = []
    for path in paths:
        accepted = await client.upload(path)
        began = time.perf_counter()
        await completed(client, accepted.document_id)
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(0.2)
    p50, p95 = statistics.median(seconds), sorted(seconds)[int(len(seconds) * 0.95)]
    print(f"a text letter alone, 202 → completed: p50 {1000 * p50:.0f} ms, p95 {1000 * p95:.0f} ms"
          f"  (wanted: p50 {1000 * ALONE:.0f} ms)", flush=True)  # fmt: skip


async def together(
    kind: str, client: PagestreamClient, running: Running, paths: Sequence[Path], pool: tuple[float, float]
) -> None:
    """Print what these letters took when they came at once."""
    cpu, statements, records = cpu_seconds(), await mongo_statements(running), await kafka_records(running)
    places = asyncio.Semaphore(_AT_ONCE)

    async def upload(path: Path) -> str:
        async with places:
            return (await client.upload(path)).document_id

    ids = await asyncio.gather(*map(upload, paths))
    with bar(f"{len(paths)} {kind}", len(paths)) as told:
        ended = 0
        async for state in client.watch(ids):
            if state.ending and state.ending != "completed":
                raise RuntimeError(f"a letter ended as {state.ending}: {state.view}")
            ended += state.ending is not None
            told(ended)
    views = [await client.document(document_id) for document_id in ids]
    began = min(datetime.fromisoformat(view["uploaded_at"]).timestamp() for view in views)
    ends = sorted(datetime.fromisoformat(str(view["completed_at"])).timestamp() - began for view in views)
    rate, count = len(paths) / ends[-1], len(paths)
    print(f"{count} {kind}: {rate:.1f} documents/s, {rate / pool[0]:.2f} × the plain pool with {pool[0]:.1f}"
          f"  (wanted: {AGAINST_POOL:.2f} ×)")  # fmt: skip
    print(
        f"  completed: the first after {ends[0]:.2f} s, half after {ends[count // 2]:.2f} s, all after {ends[-1]:.2f} s"
    )
    spent = {name: (seconds - cpu.get(name, 0.0)) / count for name, seconds in cpu_seconds().items()}
    functions = sum(seconds for name, seconds in spent.items() if name.startswith("child of "))
    machinery = sum(spent.values()) - functions
    print(f"  CPU a document: machinery {machinery:.3f} s  (wanted: {MACHINERY:.2f} s), functions {functions:.3f} s,"
          f" in the plain pool {pool[1]:.3f} s")  # fmt: skip
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        if seconds >= 0.001:
            print(f"    {seconds:6.3f} s  {name}")
    asked = {name: n - statements[name] for name, n in (await mongo_statements(running)).items()}
    print("  MongoDB statements a document: " + ", ".join(f"{n / count:.1f} {name}" for name, n in asked.items() if n))
    said = {name: n - records[name] for name, n in (await kafka_records(running)).items()}
    print("  Kafka records a document: " + ", ".join(f"{n / count:.1f} {name}" for name, n in said.items() if n))


async def mongo_statements(running: Running) -> dict[str, int]:
    """Statements so far, by name."""
    async with mongo.connect(read(SharedSettings).model_copy(update={"mongo": running.mongo})) as database:
        status = await database.client.admin.command("serverStatus")
    commands = status["metrics"]["commands"]
    return {name: int(commands[name]["total"]) for name in (*_WRITES, *_READS) if name in commands}


async def kafka_records(running: Running) -> dict[str, int]:
    """Records so far, by topic."""
    partitions = read(SharedSettings).partitions
    places = [
        TopicPartition(topic.name, number)
        for topic in topics.all_topics(partitions)
        for number in range(topic.partitions)
    ]
    found: Counter[str] = Counter()
    async with consuming(running.kafka, places) as consumer:
        for place, end in (await consumer.end_offsets(places)).items():
            found[place.topic] += end
    return dict(found)


if __name__ == "__main__":
    main()
