"""Pages per second of the whole pipeline, and of plain tesseract on the same pages, in one run.

Plain tesseract reads the pages already rendered to PNG (300 dpi, RGB, as PDF tools write them by default), one process
per core. The pipeline gets the PDF over HTTP: its first clock stops when the last page's `SliceCompleted` is in the
log, its second when the document is `completed`.

    python -m benchmarks.pipeline [--pages 24]
"""

import argparse
import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.pages import scan, scanned_pdf
from benchmarks.system import completed, system
from pagestream.views import TimelineEvent
from stack import tesseract

LAST_PAGE: Final = 0.9  # times plain tesseract, at least
COMPLETED: Final = 0.75

_ELSEWHERE: Final = 10_000  # the number of a page that no measured document has
_WARM_UP: Final = os.cpu_count() or 1  # pages: each core has started its child then

OnPages: TypeAlias = Callable[[int], object]  # told how many pages are done, whenever that has changed


def quietly(done: int) -> None:
    """Report nothing."""


def main() -> None:
    """Measure both and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=24, help="scanned pages (default: 24)")
    pages: int = parser.parse_args().pages
    with tempfile.TemporaryDirectory() as folder:
        scanned_pdf(pages, Path(folder) / "scan.pdf")
        plain = pages / read_plainly(pages, Path(folder))
        last_page, whole = asyncio.run(read_by_pipeline(Path(folder) / "scan.pdf"))
    report("plain tesseract", plain, plain, None)
    report("pipeline, last page read", pages / last_page, plain, LAST_PAGE)
    report("pipeline, completed", pages / whole, plain, COMPLETED)


def report(what: str, rate: float, plain: float, wanted: float | None) -> None:
    """One line: pages per second, and times plain tesseract."""
    limit = "" if wanted is None else f"  (wanted: {wanted:.2f} ×)"
    print(f"{what:<26} {rate:5.2f} pages/s  {rate / plain:5.2f} ×{limit}", flush=True)


def read_plainly(pages: int, folder: Path, told: OnPages = quietly) -> float:
    """Seconds that plain tesseract takes for all pages, one process per core."""
    for number in range(pages):
        scan(number).convert("RGB").save(folder / f"{number}.png", compress_level=1)
    engine = tesseract.find(packaged_only=False)
    environment = environment_of(engine)

    def read(number: int) -> None:
        command = [str(engine.path), str(folder / f"{number}.png"), str(folder / str(number))]
        subprocess.run(command, env=environment, check=True, capture_output=True)

    began = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as processes:
        for done, _ in enumerate(processes.map(read, range(pages)), start=1):
            told(done)
    return time.perf_counter() - began


def environment_of(engine: tesseract.Tesseract) -> dict[str, str]:
    """Ours, in which the engine is found, finds its models, and uses one thread."""
    path = f"{engine.path.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    models = {"TESSDATA_PREFIX": str(engine.tessdata)} if engine.tessdata else {}
    return {**os.environ, "OMP_THREAD_LIMIT": "1", "PATH": path, **models}


async def read_by_pipeline(document: Path, told: OnPages = quietly) -> tuple[float, float]:
    """Seconds from the upload's 202 to the last page's result and to `completed`, on a system that is warm."""
    async with system() as (_, client):
        warm_up = document.with_name("warm-up.pdf")
        await asyncio.to_thread(scanned_pdf, _WARM_UP, warm_up, first=_ELSEWHERE)
        await completed(client, (await client.upload(warm_up)).document_id)
        accepted = await client.upload(document)
        await completed(client, accepted.document_id, told)
        events = (await client.timeline(accepted.document_id))["events"]
    began = at(events, "DocumentUploaded", None)
    return at(events, "SliceCompleted", "ocr") - began, at(events, "DocumentCompleted", None) - began


def at(events: Sequence[TimelineEvent], kind: str, stage: str | None) -> float:
    """When the last such event was, in seconds since the epoch."""
    return max(
        datetime.fromisoformat(event["at"]).timestamp()
        for event in events
        if event["type"] == kind and event["stage"] == stage
    )


if __name__ == "__main__":
    main()
