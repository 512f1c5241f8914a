"""Replaying the log into an empty generation: facts per second, memory, and the same digest twice.

Writes the facts of synthetic documents to a broker of its own, then folds them as `pagestream rebuild` does, in a
process of its own, twice; the second is compared with the first. Storing results is reported apart: these documents
have none, and each is looked for. At last from a snapshot.

    python -m benchmarks.replay [--facts 1000000] [--documents 20000]
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.idle import descendants, pss
from benchmarks.synthetic_log import append, history
from benchmarks.system import settings
from cli.programs import PROVISION
from services.progress.projection.snapshot_export import SnapshotExport
from shared.events.document import Fact
from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from shared.storage.blob_names import SNAPSHOTS
from shared.storage.blobs import Blobs
from stack.system import System

FACTS_PER_SECOND: Final = 60_000
MEGABYTES: Final = 512
FIXED: Final = 2 + 3 * 3 + 2  # facts of a document beside its pages: upload, end, and three of each stage, two slices
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Write the log, replay it twice, print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--documents", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pagestream-bench-") as folder:
        asyncio.run(measure(Path(folder), arguments.facts, arguments.documents))


async def measure(folder: Path, facts: int, documents: int) -> None:
    """Everything, on a broker and database of its own."""
    async with System(settings(folder), lambda event: None, provision=PROVISION) as running:
        here = running.running
        written = await append(here.kafka, histories(documents, facts // documents - FIXED))
        environment = {
            "PAGESTREAM_KAFKA": here.kafka,
            "PAGESTREAM_MONGO": here.mongo,
            "PAGESTREAM_STORE": f"file://{folder}/blobs",
        }
        digests = {replay(environment, written, documents, "--from-zero") for _ in range(2)}
        await export(here.mongo, environment["PAGESTREAM_STORE"])
        digests.add(replay(environment, written, documents))
    print(f"digests equal: {'yes' if len(digests) == 1 else 'NO'}")


async def export(address: str, store: str) -> None:
    """Make a snapshot of the live generation; without the rests in which a running system would work."""
    blobs = Blobs.open(store)
    async with mongo.connect(SharedSettings(mongo=address)) as database:
        generation = await database.live_generation()
        assert generation
        began, used = time.perf_counter(), time.process_time()
        await SnapshotExport(database, generation, blobs, 1, rest=0).export_if_due()
    took, used = time.perf_counter() - began, time.process_time() - used
    print(f"a snapshot in {took:.1f} s, {used:.1f} s of CPU here, {size_of(store):.0f} MB", flush=True)


def size_of(store: str) -> float:
    """The megabytes of all parts of snapshots."""
    parts = Path(store.removeprefix("file://"), SNAPSHOTS).rglob("*-*")
    return sum(path.stat().st_size for path in parts) / 1e6


def replay(environment: dict[str, str], facts: int, documents: int, *options: str) -> str:
    """One rebuild; prints its figures and returns its digest."""
    at = {"began": time.perf_counter()}
    command = [sys.executable, "-m", "services.progress.rebuild", "swap", *options]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE)
    assert process.stdout
    most = Most(process.pid)
    outcome: dict[str, Any] = {}
    for line in process.stdout:
        outcome = orjson.loads(line)
        at[outcome["step"]] = time.perf_counter()
    process.wait()
    most.end()
    folding = at["results"] - at["began"]
    how = "from a snapshot" if "snapshot" in at else f"{facts / folding:.0f} facts/s (wanted: {FACTS_PER_SECOND})"
    print(f"{facts} facts of {documents} documents in {folding:.1f} s: {documents / folding:.0f} documents/s, {how}")
    print(f"peak memory {most.megabytes:.0f} MB in all its processes  (wanted: {MEGABYTES})")
    print(f"results {at['stop'] - at['results']:.1f} s · comparison {at['done'] - at['stop']:.1f} s", flush=True)
    return str(outcome["digest"])


class Most:
    """The highest sum (Pss, MB) of a process and those below it, looked at until `end`."""

    def __init__(self, pid: int) -> None:
        self.megabytes = 0.0
        self._pid = pid
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look)
        self._looking.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._looking.join()

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            with suppress(OSError, StopIteration):  # one of them ended meanwhile
                self.megabytes = max(self.megabytes, sum(map(pss, [self._pid, *descendants(self._pid)])))


def histories(documents: int, pages: int) -> Iterator[Fact]:
    """The facts of all documents, one document after another."""
    for number in range(documents):
        document_id, moment = str(uuid.UUID(int=number, version=4)), START + timedelta(seconds=number)
        yield from history(document_id, moment, pages=pages, media_type="application/pdf")


if __name__ == "__main__":
    main()
