"""How much of a page is read, and how fast: word recall by kind of document, and pages per second beside others.

Recall is the share of the words of a gold text (with repetitions, case ignored) that the result holds too. The gold
texts are those of the corpus beside the checkout (PAGESTREAM_CORPUS names another). Speed is that of the same scanned
pages in one run: plain tesseract with one process per core on pages already rendered, the whole pipeline, and OCRmyPDF
with as many jobs where it is installed.

Without --all a run ends within about three minutes on two cores: one document of each kind, and twelve pages.

    python -m benchmarks.ocr [--pages 12] [--all]
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import Any, Final

import orjson

from benchmarks.bars import bar
from benchmarks.pages import scanned_pdf
from benchmarks.pipeline import COMPLETED, LAST_PAGE, environment_of, read_by_pipeline, read_plainly, report
from benchmarks.system import system
from pagestream import PagestreamClient
from pagestream.refusals import Refused
from stack import tesseract

_BESIDE: Final = Path(__file__).resolve().parents[2] / "shared" / "corpus"
_PAGES: Final = 12
_ALL_PAGES: Final = 48
_SECONDS: Final = 300.0  # for one document of the corpus; the slowest takes a tenth on two busy cores
_SLOWEST: Final = 10.0  # times plain tesseract: who takes longer is not waited for
_NAMED: Final = 12  # lost words that are printed for a document


def main() -> None:
    """Measure both and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, help=f"scanned pages (default: {_PAGES}, with --all {_ALL_PAGES})")
    parser.add_argument("--all", action="store_true", help="every document of the corpus, each with the words it lost")
    asked = parser.parse_args()
    corpus = Path(os.environ.get("PAGESTREAM_CORPUS") or _BESIDE)
    if (corpus / "manifest.jsonl").is_file():
        asyncio.run(report_recall(corpus, every=asked.all))
    else:
        print(f"no recall: there is no corpus in {corpus}")
    report_speed(asked.pages or (_ALL_PAGES if asked.all else _PAGES))


# ---- recall


async def report_recall(corpus: Path, *, every: bool) -> None:
    """One line a kind: the mean recall of its documents, and how many they are."""
    chosen = list(with_gold(corpus, every=every))
    kinds: dict[str, list[float]] = defaultdict(list)
    async with system() as (_, client):
        with bar("documents of the corpus", len(chosen)) as told:
            reading = [asyncio.create_task(read(client, corpus / entry["file"])) for entry in chosen]
            for done, (entry, task) in enumerate(zip(chosen, reading, strict=True), start=1):
                gold = (corpus / entry["expect"]["gold_text_file"]).read_text()
                text = await task
                kinds[entry["kind"]].append(recall(gold, text))
                told(done)
                if every and (lost := missing(gold, text)):
                    print(f"{entry['file']} lost {lost.total()} words: {' '.join(list(lost)[:_NAMED])}")
    report_kinds(kinds)


def with_gold(corpus: Path, *, every: bool) -> Iterator[Mapping[str, Any]]:
    """The entries of the manifest whose text is known: all, or the first of each kind."""
    kinds: set[str] = set()
    for entry in map(orjson.loads, (corpus / "manifest.jsonl").read_bytes().splitlines()):
        if "gold_text_file" in entry["expect"] and (every or entry["kind"] not in kinds):
            kinds.add(entry["kind"])
            yield entry


async def read(client: PagestreamClient, document: Path) -> str:
    """The text of a document, read by the whole system; what comes after reading is cancelled.

    The chunks of a book take longer than all pages of the corpus together, and have no words that its text has not.
    """
    async with asyncio.timeout(_SECONDS):
        document_id = (await client.upload(document)).document_id
        async for state in client.watch([document_id]):
            if (state.view or {}).get("stages", {}).get("ocr", {}).get("status") == "completed":
                break
        text = await client.text(document_id)
        with suppress(Refused):  # it has ended already
            await client.cancel(document_id)
        return text


def report_kinds(kinds: Mapping[str, Sequence[float]]) -> None:
    """The table, the weakest kind first."""
    for kind, found in sorted(kinds.items(), key=lambda each: mean(each[1])):
        print(f"{kind:<28} {mean(found):6.1%} of words  ({len(found)} document{'s' * (len(found) > 1)})")


def recall(gold: str, text: str) -> float:
    """The share (0..1) of the words of `gold` that `text` holds as well."""
    return 1 - missing(gold, text).total() / max(1, words(gold).total())


def missing(gold: str, text: str) -> Counter[str]:
    """The words of `gold` that `text` lacks, and how often."""
    return words(gold) - words(text)


def words(text: str) -> Counter[str]:
    """The words of a text, case ignored."""
    return Counter(re.findall(r"\w+", text.casefold()))


# ---- speed


def report_speed(pages: int) -> None:
    """Pages per second of everybody on the same scan."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "scan.pdf"
        scanned_pdf(pages, document)
        with bar("plain tesseract", pages) as told:
            plain = pages / read_plainly(pages, Path(folder), told)
        report("plain tesseract", plain, plain, None)
        with bar("pipeline", pages) as told:
            last_page, whole = asyncio.run(read_by_pipeline(document, told))
        report("pipeline, last page read", pages / last_page, plain, LAST_PAGE)
        report("pipeline, completed", pages / whole, plain, COMPLETED)
        report_ocrmypdf(document, pages, plain)


def report_ocrmypdf(document: Path, pages: int, plain: float) -> None:
    """Its line, or why there is none."""
    if (program := shutil.which("ocrmypdf")) is None:
        print("OCRmyPDF is not installed")
        return
    patience = _SLOWEST * pages / plain
    try:
        with bar("OCRmyPDF", pages):  # it does not say how far it is
            taken = read_by_ocrmypdf(program, document, patience)
    except subprocess.TimeoutExpired:
        print(f"OCRmyPDF was stopped after {patience:.0f} s, {_SLOWEST:g} times what plain tesseract took")
    else:
        report("OCRmyPDF", pages / taken, plain, None)


def read_by_ocrmypdf(program: str, document: Path, patience: float) -> float:
    """Seconds that OCRmyPDF takes, with our engine, a job per core, and without optimising the file it writes."""
    command = [program, "--force-ocr", "--optimize", "0", "--output-type", "pdf", "--jobs", str(os.cpu_count())]
    command += [str(document), str(document.with_suffix(".out.pdf"))]
    environment = environment_of(tesseract.find(packaged_only=False))
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=patience)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
