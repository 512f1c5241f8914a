"""Whether the services' memory stays flat over many documents, and the most that OCR of a page takes.

Most documents are short texts, every twentieth is a scanned page. A service's memory is its proportional set size (Pss)
without its children, after a tenth, half and all of the documents; a child's is its own peak and that of a recogniser
together. 500 documents take about five minutes on two idle cores.

    python -m benchmarks.memory [--documents 500]
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.bars import bar
from benchmarks.idle import peak, programs, pss
from benchmarks.pages import scanned_pdf
from benchmarks.system import completed, system_in
from pagestream import PagestreamClient

GROWTH_MB: Final = 16.0  # of any service from the first look to the last, at most
CHILD_MB: Final = 1024.0  # an OCR child and its recogniser, at most
_LOOKS: Final = (0.1, 0.5, 1.0)  # of the documents
_SCAN_EVERY: Final = 20
_SECONDS: Final = 120.0  # for one document
_LOOK_SECONDS: Final = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=500)
    with tempfile.TemporaryDirectory(prefix="pagestream-bench-") as folder:
        asyncio.run(measure(Path(folder), parser.parse_args().documents))


async def measure(folder: Path, documents: int) -> None:
    """Run the documents one after the other and look at the memory meanwhile."""
    looks: dict[int, dict[str, float]] = {round(share * documents): {} for share in _LOOKS}
    async with system_in(folder) as (_, client):
        peaks: dict[str, float] = {}
        watching = asyncio.create_task(watch(peaks))
        with bar("documents", documents) as told:
            for number in range(documents):
                await run(client, folder, number)
                told(number + 1)
                if number + 1 in looks:
                    looks[number + 1] = services()
        watching.cancel()
    report(looks)
    together = sum(peaks.values())
    parts = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in peaks.items())
    print(f"OCR child at its peak  {together:6.0f} MB  ({parts}; wanted: at most {CHILD_MB:g} MB)")


def report(looks: Mapping[int, Mapping[str, float]]) -> None:
    """One line a service: what it held after so many documents, and how much that grew."""
    print(f"{'MB after documents':<22} " + " ".join(f"{number:6}" for number in looks))
    first, *_, last = looks.values()
    for name in last:
        held = " ".join(f"{look[name]:6.0f}" for look in looks.values())
        grown = last[name] - first[name]
        print(f"{name:<22} {held}  grown by {grown:5.1f} MB  (wanted: at most {GROWTH_MB:g} MB)")


async def run(client: PagestreamClient, folder: Path, number: int) -> None:
    """Upload a document and wait for its end."""
    path = folder / ("scan.pdf" if number % _SCAN_EVERY == 0 else "note.txt")
    await asyncio.to_thread(write, path, number)
    async with asyncio.timeout(_SECONDS):
        await completed(client, (await client.upload(path)).document_id)


def write(path: Path, number: int) -> None:
    """Document `number`, unlike any other."""
    if path.suffix == ".pdf":
        scanned_pdf(1, path, first=number)
    else:
        path.write_text(f"Note {number}\n\nInvoice number: RE-2025-{number:04}\nTotal: EUR {number}.00\n" * 20)


def services() -> dict[str, float]:
    """The memory in MB of each service's own process, without its children."""
    return {name: pss(pid) for pid, name in programs(os.getpid()) if name.startswith("services.")}


async def watch(peaks: dict[str, float]) -> None:
    """Note the highest peak (MB) of any OCR child and of any recogniser, for as long as it runs."""
    while True:
        for pid, name in programs(os.getpid()):
            if name in ("child of services.ocr", "tesseract"):
                peaks[name] = max(peaks.get(name, 0.0), peak(pid))
        await asyncio.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
