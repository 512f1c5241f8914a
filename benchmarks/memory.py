"""Whether the services' memory stays flat over many documents, and the most that OCR of a page takes.

Most documents are short texts, every twentieth is a scanned page. A service's memory is its proportional set size (Pss)
without its children; a child's is its own peak and that of a recogniser together.

    python -m benchmarks.memory [--documents 500]
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.idle import descendants, peak, pss
from benchmarks.pages import scanned_pdf
from benchmarks.system import completed, system_in
from pagestream import PagestreamClient

GROWTH_MB: Final = 16.0  # of any service from a fifth of the documents to the last, at most
CHILD_MB: Final = 1024.0  # an OCR child and its recogniser, at most
_SCAN_EVERY: Final = 20
_LOOK_SECONDS: Final = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=500)
    with tempfile.TemporaryDirectory(prefix="pagestream-bench-") as folder:
        asyncio.run(measure(Path(folder), parser.parse_args().documents))


async def measure(folder: Path, documents: int) -> None:
    """Run the documents one after the other, look at the memory after a fifth of them and after all."""
    async with system_in(folder) as (_, client):
        peaks: dict[str, float] = {}
        watching = asyncio.create_task(watch(peaks))
        await run(client, folder, range(documents // 5))
        warm = services()
        await run(client, folder, range(documents // 5, documents))
        watching.cancel()
        for name, megabytes in services().items():
            grown = megabytes - warm[name]
            print(f"{name:<22} {megabytes:6.0f} MB  grown by {grown:5.1f} MB  (wanted: at most {GROWTH_MB:g} MB)")
        together = sum(peaks.values())
        parts = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in peaks.items())
        print(f"OCR child at its peak  {together:6.0f} MB  ({parts}; wanted: at most {CHILD_MB:g} MB)")


async def run(client: PagestreamClient, folder: Path, numbers: range) -> None:
    """Upload each document and wait for its end."""
    for number in numbers:
        path = folder / ("scan.pdf" if number % _SCAN_EVERY == 0 else "note.txt")
        await asyncio.to_thread(write, path, number)
        await completed(client, (await client.upload(path)).document_id)


def write(path: Path, number: int) -> None:
    """Document `number`, unlike any other."""
    if path.suffix == ".pdf":
        scanned_pdf(1, path, first=number)
    else:
        path.write_text(f"Note {number}\n\nInvoice number: RE-2025-{number:04}\nTotal: EUR {number}.00\n" * 20)


def services() -> dict[str, float]:
    """The memory in MB of each service's own process, without its children."""
    return {name: pss(pid) for pid, name in ours() if name.startswith("services.")}


async def watch(peaks: dict[str, float]) -> None:
    """Note the highest peak (MB) of any OCR child and of any recogniser, for as long as it runs."""
    while True:
        for pid, name in ours():
            if name in ("child of OCR", "tesseract"):
                peaks[name] = max(peaks.get(name, 0.0), peak(pid))
        await asyncio.sleep(_LOOK_SECONDS)


def ours() -> Iterator[tuple[int, str]]:
    """Every process of the system and what it is; what ends meanwhile is left out."""
    for pid in descendants(os.getpid()):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
        except OSError:
            continue
        if "shared.harness.child" in words:
            yield pid, "child of OCR" if "services.ocr.handlers" in words else "child"
        elif words[-1].startswith("services."):
            yield pid, words[-1]
        else:
            yield pid, Path(words[0]).name


if __name__ == "__main__":
    main()
