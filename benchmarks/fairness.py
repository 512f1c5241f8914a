"""Who waits for whom: a letter alone, beside a book, beside another tenant's many; many letters; a book beside letters.

- A one-page letter on an idle system, beside a book of the same tenant, beside 200 documents of another tenant. Each
  letter is a scan of its own and is uploaded when the one before is completed; its time is from `DocumentUploaded` to
  `DocumentCompleted` in the log. The book and the documents of the other tenant are scans too and outlast the letters.
- Letters that come together: when the first of them is completed, and half of them, as parts of the whole time.
- A book of 100 pages while as many letters come as can be read: its part of all pages that are read meanwhile. A half
  would be its fair share.

A full run takes about a quarter of an hour on two idle cores; a letter that takes longer than two minutes ends it.

    python -m benchmarks.fairness [--letters 30] [--book 1000] [--others 200] [--together 200] [--seconds 120]
"""

import argparse
import asyncio
import tempfile
import uuid
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.bars import bar
from benchmarks.pages import scanned_pdf
from benchmarks.pipeline import at
from benchmarks.system import begun, blobs_in, completed, outlasted, system_in
from pagestream import PagestreamClient
from shared.events.document import DocumentUploaded, utcnow
from shared.events.pipeline import PIPELINE
from shared.harness.contract import Document
from shared.kafka.producer import Producer
from shared.storage import blob_names
from shared.storage.blobs import Blobs

LIMIT: Final = 2.0  # times the p95 of an idle system, at most
DRAWN: Final = 8  # letters that are unlike each other, over and over
OTHERS_PAGES: Final = 3  # of each document of the other tenant
FIRST: Final = 0.03  # of the whole time, at most, until the first of many letters is completed
HALF: Final = 0.55  # the same for half of them
SHARE: Final = 0.125  # of the pages read beside letters are the book's, at least: a quarter of its half
BESIDE_PAGES: Final = 100  # of the book beside letters
_WARM_UP: Final = 3  # letters that are not counted
_SECONDS: Final = 120.0  # for one letter


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=30, help="letters for each p95 (default: 30)")
    parser.add_argument("--book", type=int, default=1000, help="pages of the book (default: 1000)")
    parser.add_argument("--others", type=int, default=200, help="documents of the other tenant (default: 200)")
    parser.add_argument("--together", type=int, default=200, help="letters that come together (default: 200)")
    parser.add_argument("--seconds", type=float, default=120.0, help="of letters beside a book (default: 120)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), asked.letters, asked.book, asked.others))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure_many(Path(folder), asked.together, asked.seconds))


async def measure(folder: Path, letters: int, book: int, others: int) -> None:
    """The three times of a letter, one after the other on one system."""
    scanned_pdf(book, folder / "book.pdf", different=8)
    scanned_pdf(OTHERS_PAGES, folder / "other.pdf")
    other = (folder / "other.pdf").read_bytes()
    async with system_in(folder) as (running, client), Producer.connect(running.running.kafka) as producer:
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
            await put(producer, blobs_in(folder), other, "neighbour")
        report(f"beside {others} documents of another tenant", await desk.p95(letters), idle)


async def measure_many(folder: Path, together: int, seconds: float) -> None:
    """How many letters that come together end, and how a book goes on beside as many letters as can be read."""
    async with system_in(folder) as (running, client), Producer.connect(running.running.kafka) as producer:
        post = Post(producer, blobs_in(folder), folder)
        await Desk(client, folder).p95(_WARM_UP)
        ends = await ends_of(client, [await post.letter() for _ in range(together)])
        whole = ends[-1]
        first, half = ends[0] / whole, ends[len(ends) // 2 - 1] / whole
        print(f"{together} letters together: first done after {first:6.1%} of the time  (wanted: at most {FIRST:.0%})")
        print(f"{together} letters together: half done after  {half:6.1%} of the time  (wanted: at most {HALF:.0%})")
        scanned_pdf(BESIDE_PAGES, folder / "book.pdf", different=8)
        book = (await client.upload(folder / "book.pdf")).document_id
        await begun(client, book)
        before = await pages_of(client, book)
        letters = await post.letters(together / whole, seconds)
        mine = await pages_of(client, book) - before
        theirs = sum([(await client.document(letter))["status"] == "completed" for letter in letters])
        share = mine / max(1, mine + theirs)
        print(f"book of {BESIDE_PAGES} pages beside {len(letters)} letters in {seconds:.0f} s: {mine} pages of its own")
        print(f"that is {share:.1%} of all that was read  (wanted: at least {SHARE:.1%})")


async def pages_of(client: PagestreamClient, document_id: str) -> int:
    """How many pages of the document are read."""
    return int((await client.document(document_id))["pages"]["done"])


async def ends_of(client: PagestreamClient, ids: Sequence[str]) -> list[float]:
    """The seconds from the first upload until each was completed, in order."""
    with bar("letters together", len(ids)) as told:
        for number, document_id in enumerate(ids, start=1):
            await completed(client, document_id)
            told(number)
    found = [(await client.timeline(document_id))["events"] for document_id in ids]
    began = min(at(events, "DocumentUploaded", None) for events in found)
    return sorted(at(events, "DocumentCompleted", None) - began for events in found)


class Post:
    """Brings letters in as fast as they come, past the gateway: it is not what is measured."""

    def __init__(self, producer: Producer, blobs: Blobs, folder: Path) -> None:
        self._producer = producer
        self._blobs = blobs
        self._drawn = []
        for number in range(DRAWN):
            scanned_pdf(1, folder / "letter.pdf", first=number)
            self._drawn.append((folder / "letter.pdf").read_bytes())
        self._numbers = count()

    async def letter(self) -> str:
        """One letter of the tenant without keys; its id."""
        return await put(self._producer, self._blobs, self._drawn[next(self._numbers) % DRAWN], "default")

    async def letters(self, a_second: float, seconds: float) -> list[str]:
        """So many letters a second, for so many seconds; their ids."""
        loop, ids = asyncio.get_running_loop(), list[str]()
        began = loop.time()
        with bar("seconds", round(seconds)) as told:
            while (passed := loop.time() - began) < seconds:
                if len(ids) < passed * a_second:
                    ids.append(await self.letter())
                else:
                    await asyncio.sleep(0.01)
                told(round(passed))
        return ids


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


async def put(producer: Producer, blobs: Blobs, data: bytes, tenant: str) -> str:
    """Bring in a document of `tenant`, as the gateway would; its id."""
    document_id = str(uuid.uuid4())
    document = Document(
        document_id=document_id, tenant=tenant, filename="other.pdf", content_type=None, size=len(data)
    )  # fmt: skip
    await blobs.put(blob_names.source(tenant, document_id), data)
    await blobs.put_result(blob_names.meta(tenant, document_id), document.model_dump(mode="json"))
    await producer.append(
        DocumentUploaded.claim(
            document_id=document_id, claim="1", tenant=tenant, at=utcnow(), producer="bench",
            pipeline=tuple(PIPELINE), size=len(data), media_type="application/pdf",
        )
    )  # fmt: skip
    return document_id


if __name__ == "__main__":
    main()
