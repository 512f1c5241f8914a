"""How long a one-page letter takes: on an idle system, beside a book of the same tenant, beside another tenant's many.

Each letter is a scan of its own and is uploaded when the one before is completed; its time is from `DocumentUploaded`
to `DocumentCompleted` in the log. The book and the documents of the other tenant are scans too and outlast the letters.

A full run takes about ten minutes on two idle cores; whoever waits longer than two minutes for a letter gives up.

    python -m benchmarks.fairness [--letters 30] [--book 1000] [--others 200]
"""

import argparse
import asyncio
import tempfile
import uuid
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.bars import bar
from benchmarks.pages import scanned_pdf
from benchmarks.pipeline import at
from benchmarks.system import begun, blobs_in, completed, outlasted, system_in
from pagestream import PagestreamClient
from shared import blobs as names
from shared import kafka
from shared.blobs import Blobs
from shared.events import DocumentUploaded, utcnow
from shared.harness.contract import Document
from shared.kafka import Log
from shared.pipeline import PIPELINE

LIMIT: Final = 2.0  # times the p95 of an idle system, at most
OTHERS_PAGES: Final = 3  # of each document of the other tenant
_WARM_UP: Final = 3  # letters that are not counted
_SECONDS: Final = 120.0  # for one letter


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=30, help="letters for each p95 (default: 30)")
    parser.add_argument("--book", type=int, default=1000, help="pages of the book (default: 1000)")
    parser.add_argument("--others", type=int, default=200, help="documents of the other tenant (default: 200)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), asked.letters, asked.book, asked.others))


async def measure(folder: Path, letters: int, book: int, others: int) -> None:
    """The three times, one after the other on one system."""
    scanned_pdf(book, folder / "book.pdf", different=8)
    scanned_pdf(OTHERS_PAGES, folder / "other.pdf")
    other = (folder / "other.pdf").read_bytes()
    async with system_in(folder) as (running, client), kafka.connect(running.running.kafka) as log:
        desk = Desk(client, folder)
        await desk.p95(_WARM_UP)
        idle = await desk.p95(letters)
        report("idle system", idle, None)
        accepted = await client.upload(folder / "book.pdf")
        await begun(client, accepted.document_id)
        report(f"beside a book of {book} pages", await desk.p95(letters), idle)
        await outlasted(client, accepted.document_id)
        await client.cancel(accepted.document_id)
        await ended(client, accepted.document_id)
        for _ in range(others):
            await put(log, blobs_in(folder), other, "neighbour")
        report(f"beside {others} documents of another tenant", await desk.p95(letters), idle)


class Desk:
    """Where letters are written, each unlike the others."""

    def __init__(self, client: PagestreamClient, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._numbers = count()

    async def p95(self, letters: int) -> float:
        """The seconds within which 95 of 100 letters are completed."""
        times: list[float] = []
        with bar("letters", letters) as told:
            while len(times) < letters:
                times.append(await self._letter())
                told(len(times))
        times.sort()
        return times[min(len(times) - 1, int(0.95 * len(times)))]

    async def _letter(self) -> float:
        path = self._folder / "letter.pdf"
        await asyncio.to_thread(scanned_pdf, 1, path, first=next(self._numbers))
        async with asyncio.timeout(_SECONDS):
            document_id = (await self._client.upload(path)).document_id
            await completed(self._client, document_id)
        events = (await self._client.timeline(document_id))["events"]
        return at(events, "DocumentCompleted", None) - at(events, "DocumentUploaded", None)


def report(what: str, seconds: float, idle: float | None) -> None:
    """One line: p95 in seconds, and times that of the idle system."""
    ratio = "" if idle is None else f"  {seconds / idle:5.2f} ×  (wanted: at most {LIMIT:.2f} ×)"
    print(f"one-page letter, {what:<42} p95 {seconds:6.2f} s{ratio}", flush=True)


async def ended(client: PagestreamClient, document_id: str) -> None:
    """Wait for the document's end, whichever it is."""
    await client.wait(document_id)


async def put(log: Log, blobs: Blobs, data: bytes, tenant: str) -> str:
    """Bring in a document of another tenant, as the gateway would; its id."""
    document_id = str(uuid.uuid4())
    document = Document(
        document_id=document_id, tenant=tenant, filename="other.pdf", content_type=None, size=len(data)
    )  # fmt: skip
    await blobs.put(names.source(tenant, document_id), data)
    await blobs.put_result(names.meta(tenant, document_id), document.model_dump(mode="json"))
    await log.append(
        DocumentUploaded.claim(
            document_id=document_id, claim="1", tenant=tenant, at=utcnow(), producer="bench",
            pipeline=tuple(PIPELINE), size=len(data), media_type="application/pdf",
        )
    )  # fmt: skip
    return document_id


if __name__ == "__main__":
    main()
