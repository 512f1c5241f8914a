"""How soon the text of a book is there whose pages need no recognising: until its OCR stage is completed.

python -m benchmarks.born_digital [--pages 230]
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from fpdf import FPDF

from benchmarks.pages import PROSE
from benchmarks.pipeline import at
from benchmarks.system import completed, system

PAGES_PER_SECOND: Final = 100.0
SECONDS: Final = 3.0  # for the text of 230 pages
_WARM_UP: Final = 4  # pages
_LINES: Final = 44  # of a page, some 400 words


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=230)
    pages: int = parser.parse_args().pages
    with tempfile.TemporaryDirectory() as folder:
        text, whole = asyncio.run(measure(Path(folder), pages))
    print(f"text of {pages} born-digital pages: {text:.2f} s  (wanted: {SECONDS:g} s)")
    print(f"that is {pages / text:.0f} pages/s  (wanted: {PAGES_PER_SECOND:g}); completed after {whole:.2f} s")


async def measure(folder: Path, pages: int) -> tuple[float, float]:
    """Seconds from the upload's 202 until the text is whole and until `completed`, on a system that is warm."""
    async with system() as (_, client):
        for count in (_WARM_UP, pages):
            book(count, folder / "book.pdf")
            accepted = await client.upload(folder / "book.pdf")
            await completed(client, accepted.document_id)
        events = (await client.timeline(accepted.document_id))["events"]
    began = at(events, "DocumentUploaded", None)
    return at(events, "StageCompleted", "ocr") - began, at(events, "DocumentCompleted", None) - began


def book(pages: int, path: Path) -> None:
    """A PDF of pages full of words, each page with others, as a word processor makes it."""
    pdf = FPDF(format="A4")
    pdf.set_font("Helvetica", size=11)
    choice = np.random.default_rng(pages)
    for number in range(pages):
        pdf.add_page()
        lines = (" ".join(choice.choice(PROSE.split(), 9)) for _ in range(_LINES))
        pdf.multi_cell(0, 6, f"Page {number + 1}\n" + "\n".join(lines))
    pdf.output(str(path))


if __name__ == "__main__":
    main()
