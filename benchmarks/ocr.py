"""How much of a page is read, and how fast: word recall by kind of document, and pages per second beside others.

Recall is the share of the words of a gold text (with repetitions, case ignored) that the result holds too. The gold
texts are those of the corpus beside the checkout (PAGESTREAM_CORPUS names another). Speed is that of the same scanned
pages in one run: plain tesseract with one process per core on pages already rendered, the whole pipeline until the last
page is read, and OCRmyPDF with as many jobs where it is installed.

    python -m benchmarks.ocr [--pages 24]
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Final

import orjson

from benchmarks.pages import scanned_pdf
from benchmarks.pipeline import LAST_PAGE, read_by_pipeline, read_plainly, report
from benchmarks.system import completed, system

_BESIDE: Final = Path(__file__).resolve().parents[2] / "shared" / "corpus"


def main() -> None:
    """Measure both and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=24, help="scanned pages (default: 24)")
    pages: int = parser.parse_args().pages
    corpus = Path(os.environ.get("PAGESTREAM_CORPUS") or _BESIDE)
    if (corpus / "manifest.jsonl").is_file():
        asyncio.run(report_recall(corpus))
    else:
        print(f"no recall: there is no corpus in {corpus}")
    report_speed(pages)


async def report_recall(corpus: Path) -> None:
    """One line a kind: the mean recall of its documents, and how many they are."""
    entries = [orjson.loads(line) for line in (corpus / "manifest.jsonl").read_bytes().splitlines()]
    kinds: dict[str, list[float]] = defaultdict(list)
    async with system() as (_, client):
        for entry in entries:
            if gold := entry["expect"].get("gold_text_file"):
                accepted = await client.upload(corpus / entry["file"])
                await completed(client, accepted.document_id)
                text = await client.text(accepted.document_id)
                kinds[entry["kind"]].append(recall((corpus / gold).read_text(), text))
    report_kinds(kinds)


def report_kinds(kinds: Mapping[str, Sequence[float]]) -> None:
    """The table, the weakest kind first."""
    for kind, found in sorted(kinds.items(), key=lambda each: mean(each[1])):
        print(f"{kind:<28} {mean(found):6.1%} of words  ({len(found)} document{'s' * (len(found) > 1)})")


def recall(gold: str, text: str) -> float:
    """The share (0..1) of the words of `gold` that `text` holds as well."""
    wanted, found = (Counter(re.findall(r"\w+", each.casefold())) for each in (gold, text))
    return (wanted & found).total() / max(1, wanted.total())


def report_speed(pages: int) -> None:
    """Pages per second of everybody on the same scan."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "scan.pdf"
        scanned_pdf(pages, document)
        plain = pages / read_plainly(pages, Path(folder))
        report("plain tesseract", plain, plain, None)
        last_page, _ = asyncio.run(read_by_pipeline(document))
        report("pipeline, last page read", pages / last_page, plain, LAST_PAGE)
        if (program := shutil.which("ocrmypdf")) is None:
            print("OCRmyPDF is not installed")
        else:
            report("OCRmyPDF", pages / read_by_ocrmypdf(program, document), plain, None)


def read_by_ocrmypdf(program: str, document: Path) -> float:
    """Seconds that OCRmyPDF takes, with a job per core and without optimising the file it writes."""
    command = [program, "--force-ocr", "--optimize", "0", "--output-type", "pdf", "--jobs", str(os.cpu_count())]
    began = time.perf_counter()
    subprocess.run([*command, str(document), str(document.with_suffix(".out.pdf"))], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
