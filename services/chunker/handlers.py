"""The chunk stage: plan cuts the text, work embeds a batch of chunks, conclude lists them all."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from services.chunker.chunks import Chunk, cut
from services.chunker.settings import Settings
from services.chunker.units import Page, count_tokens
from shared.embedding.conversion import NAME, VERSION
from shared.embedding.model import DIMENSIONS, Embedder
from shared.harness.contract import Plan, Result, Slice, Task

ALGORITHM: Final = 1  # of cutting and embedding; raised when the same text and settings give other chunks or vectors
SECONDS_PER_TOKEN: Final = 0.0002  # on one core, tokens as estimated: 26 chunks/s of 190 tokens (measured)
SECONDS_PER_SLICE: Final = 0.01  # what even an empty slice costs

settings = cache(Settings)  # read once per child process


@cache
def embedder() -> Embedder:
    """The model, loaded once per child process and only where there is something to embed."""
    return Embedder(settings().cache)


def plan(task: Task) -> Plan:
    """The text cut into chunks, up to `slice_chunks` of them a slice; a text without words is one empty slice."""
    text = task.earlier["ocr"]["text"]
    pages = [Page(page["page"], page["start"], page["end"]) for page in task.earlier["ocr"]["pages"]]
    chunks = cut(text, pages, settings().limits)
    size = settings().slice_chunks
    batches = [chunks[first : first + size] for first in range(0, len(chunks), size)] or [[]]
    return Plan(engine=_engine(), slices=tuple(_slice(text, batch) for batch in batches))


def work(task: Task, slice_: Slice) -> Result:
    """The slice's chunks, each with its text and its vector."""
    chunks = _chunks(task, slice_)
    if not chunks:
        return {"chunks": []}

    def progress(done: int, total: int) -> None:
        task.tick("chunk.embedding", done / total, done=done, total=total)

    vectors = embedder().embed([chunk["text"] for chunk in chunks], progress)
    encoded = (base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii") for vector in vectors)
    return {"chunks": [{**chunk, "vector": vector} for chunk, vector in zip(chunks, encoded, strict=True)]}


def conclude(task: Task, plan: Plan, results: Sequence[Result | None]) -> Result:
    """All chunks in order. Those of a failed slice have no vector, so that their text is found by its words."""
    chunks: list[Mapping[str, Any]] = []
    for slice_, result in zip(plan.slices, results, strict=True):
        chunks += result["chunks"] if result else [{**chunk, "vector": None} for chunk in _chunks(task, slice_)]
    return {"chunks": chunks, "model": NAME, "dimensions": DIMENSIONS}


def _engine() -> str:
    limits = settings().limits
    return (
        f"chunker-{ALGORITHM} {NAME}-{VERSION} int8 {DIMENSIONS}d"
        f" characters={limits.characters} tokens={limits.tokens} slice={settings().slice_chunks}"
    )


def _slice(text: str, batch: Sequence[Chunk]) -> Slice:
    tokens = sum(count_tokens(text, chunk.start, chunk.end) for chunk in batch)
    return Slice(
        weight=SECONDS_PER_SLICE + SECONDS_PER_TOKEN * tokens,
        pages=(batch[0].pages[0], batch[-1].pages[1]) if batch else None,
        args={"chunks": [_described(chunk) for chunk in batch]},
    )


def _described(chunk: Chunk) -> dict[str, Any]:
    return {
        "index": chunk.index,
        "start": chunk.start,
        "end": chunk.end,
        "pages": list(chunk.pages),
        "heading_path": list(chunk.heading_path),
    }


def _chunks(task: Task, slice_: Slice) -> list[dict[str, Any]]:
    """The slice's chunks with their text."""
    text = task.earlier["ocr"]["text"]
    return [{**chunk, "text": text[chunk["start"] : chunk["end"]]} for chunk in slice_.args["chunks"]]
