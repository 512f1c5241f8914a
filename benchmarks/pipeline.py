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
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final

from benchmarks.pages import scan, scanned_pdf
from benchmarks.system import completed, system
from stack import tesseract

LAST_PAGE: Final = 0.9  # times plain tesseract, at least
COMPLETED: Final = 0.75


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


def read_plainly(pages: int, folder: Path) -> float:
    """Seconds that plain tesseract takes for all pages, one process per core."""
    for number in range(pages):
        scan(number).convert("RGB").save(folder / f"{number}.png", compress_level=1)
    engine = tesseract.find(packaged_only=False)
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    if engine.tessdata:
        environment["TESSDATA_PREFIX"] = str(engine.tessdata)

    def read(number: int) -> None:
        command = [str(engine.path), str(folder / f"{number}.png"), str(folder / str(number))]
        subprocess.run(command, env=environment, check=True, capture_output=True)

    began = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as processes:
        list(processes.map(read, range(pages)))
    return time.perf_counter() - began


async def read_by_pipeline(document: Path) -> tuple[float, float]:
    """Seconds from the upload's 202 to the last page's result and to `completed`, on a system that is warm."""
    async with system() as (_, client):
        await completed(client, (await client.upload(document, force=True)).document_id)
        accepted = await client.upload(document, force=True)
        await completed(client, accepted.document_id)
        events = (await client.timeline(accepted.document_id))["events"]
    began = at(events, "DocumentUploaded", None)
    return at(events, "SliceCompleted", "ocr") - began, at(events, "DocumentCompleted", None) - began


def at(events: list[dict[str, str]], kind: str, stage: str | None) -> float:
    """When the last such event was, in seconds since the epoch."""
    return max(
        datetime.fromisoformat(event["at"]).timestamp()
        for event in events
        if event["type"] == kind and event["stage"] == stage
    )


if __name__ == "__main__":
    main()
