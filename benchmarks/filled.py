"""Many processed documents without the work: the log and the store that a system would have of them.

Every document is a letter of three chunks and a few findings; texts and vectors are of a few subjects, each varied.
"""

import base64
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.bars import bar
from benchmarks.synthetic_log import TENANT, append, history, result_of
from shared.embedding.conversion import NAME
from shared.embedding.model import DIMENSIONS, Embedder
from shared.events.document import Fact
from shared.storage import blob_names
from shared.storage.blobs import seal

CHUNKS: Final = 3  # of each document
BATCH_EVERY: Final = 1000  # documents to a batch
COMMON: Final = "the office"  # words that every document has
_SUBJECTS: Final = ("harbour", "orchard", "railway", "library", "bakery", "observatory", "quarry", "theatre")
_THINGS: Final = ("repair", "lease", "delivery", "inspection", "insurance", "survey", "permit", "subscription")
_SPREAD: Final = 0.03  # of each value of a vector around that of its subject; a vector has 384 of them and length 1
_AT_ONCE: Final = 1000
_END: Final = datetime.now(UTC)


class Letters:
    """The documents `0 … count - 1`; their newest was uploaded when this process began."""

    def __init__(self, count: int, cache: Path) -> None:
        self.count = count
        subjects = [_sentence(subject, thing, 0) for subject in _SUBJECTS for thing in _THINGS]
        self._vectors = Embedder(cache).embed(subjects)

    async def append(self, bootstrap: str) -> int:
        """Append what the log has of them all; the number of facts."""
        with bar("The log", self.count) as told:
            return await append(bootstrap, self._facts(told))

    def _facts(self, told: Callable[[int], object]) -> Iterator[Fact]:
        for number in range(self.count):
            moment = _END - timedelta(seconds=self.count - number)
            yield from history(id_of(number), moment, pages=1, media_type="text/plain")
            told(number + 1)

    def store(self, root: Path) -> None:
        """Write their blobs into the store's folder; nothing is synced."""
        with bar("The store", self.count) as told, ThreadPoolExecutor(4) as threads:
            done = 0
            starts = range(0, self.count, _AT_ONCE)
            for stored in threads.map(lambda first: self._store(root, first), starts):
                done += stored
                told(done)

    def _store(self, root: Path, first: int) -> int:
        numbers = range(first, min(first + _AT_ONCE, self.count))
        for number in numbers:
            document_id = id_of(number)
            folder = root / TENANT / document_id
            folder.mkdir(parents=True, exist_ok=True)
            meta = {"filename": f"letter-{number}.txt", "batch": batch_of(number), "tags": [f"tag-{number % 50}"]}
            (root / blob_names.meta(TENANT, document_id)).write_bytes(seal(meta))
            (root / result_of(document_id, "chunk")).write_bytes(seal(self._chunks(number)))
            (root / result_of(document_id, "extract")).write_bytes(seal(_extraction(number)))
        return len(numbers)

    def _chunks(self, number: int) -> dict[str, Any]:
        return {"chunks": list(self._cut(number)), "model": NAME, "dimensions": DIMENSIONS}

    def _cut(self, number: int) -> Iterator[dict[str, Any]]:
        start, random = 0, np.random.default_rng(number)
        for index in range(CHUNKS):
            place = (number + index * 7) % len(self._vectors)
            subject, thing = _SUBJECTS[place // len(_THINGS)], _THINGS[place % len(_THINGS)]
            text = " ".join(_sentence(subject, thing, number * 10 + line) for line in range(6))
            vector = self._vectors[place] + random.normal(0, _SPREAD, DIMENSIONS)
            vector = (vector / np.linalg.norm(vector)).astype("<f4")
            yield {
                "index": index, "text": text, "pages": [1, 1], "start": start, "end": start + len(text),
                "heading_path": [], "vector": base64.b64encode(vector.tobytes()).decode(),
            }  # fmt: skip
            start += len(text) + 1


def id_of(number: int) -> str:
    """The id of a document; ids are spread as random ones are."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def batch_of(number: int) -> str:
    """The batch of a document."""
    return f"batch-{number // BATCH_EVERY}"


def _sentence(subject: str, thing: str, number: int) -> str:
    return f"{COMMON.capitalize()} of the {subject} confirms the {thing} under reference R{number}, to be paid in May."


def _extraction(number: int) -> dict[str, Any]:
    findings = [
        {"field": "total", "value": f"{number}.50", "normalized": f"{number}.50", "start": 10, "end": 16,
         "confidence": 0.9, "method": "rule", "currency": "EUR", "page": 1},
        {"field": "reference", "value": f"R{number}", "normalized": f"R{number}", "start": 30, "end": 36,
         "confidence": 0.9, "method": "rule", "page": 1},
    ]  # fmt: skip
    return {
        "document_type": "letter", "language": "en", "title": f"Letter {number}", "summary": "A confirmation.",
        "keywords": ["confirmation"], "findings": findings, "warnings": [],
    }  # fmt: skip
