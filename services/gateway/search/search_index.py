"""The index of everything that can be searched: words, vectors, and the catalog that ties them to documents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from services.gateway.search.catalog import Catalog, Entry, Known
from services.gateway.search.narrowing import Narrowing
from services.gateway.search.vector_index import EXACT, VectorIndex
from services.gateway.search.word_index import WordIndex
from shared.embedding.model import DIMENSIONS

MAX_CHUNKS: Final = 2**20  # of one document: a chunk's key is its document's number and its place
_MANY: Final = 20  # times as many as are wanted: what the graph is asked for, where most are not what is looked for

ChunkName = tuple[str, int]  # document and place in it


class Chunk(NamedTuple):
    """A part of a document's text; one whose slice failed has no vector."""

    place: int
    text: str
    vector: bytes | None  # float32, little-endian


class SearchIndex:
    """One folder, one process. `save` makes what was done durable; a crash before it loses only that."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.catalog = Catalog(folder / "catalog.sqlite")
        self._words = WordIndex(folder / "words")
        self._vectors = VectorIndex(folder / "vectors")
        self._words.remove_after(self.catalog.highest())  # a crash left what the catalog does not name
        self.is_dirty = False

    def put(self, entry: Entry, chunks: Sequence[Chunk], generation: str) -> None:
        """Hold a document with these chunks, in place of what was held of it."""
        self.remove([entry.document_id])
        known = self.catalog.put(entry, generation)
        self._clear(known)  # a crash may have left what another document had under its number
        for chunk in chunks:
            self._words.add(_key(known.number, chunk.place), known, chunk.text, entry)
        found = {_key(known.number, chunk.place): chunk.vector for chunk in chunks if _is_of_model(chunk.vector)}
        if found:
            matrix = np.frombuffer(b"".join(found.values()), "<f4").reshape(len(found), DIMENSIONS)
            self._vectors.add(known.tenant, list(found), matrix)
        self.is_dirty = True

    def remove(self, ids: Sequence[str]) -> None:
        """Hold nothing of these documents any more."""
        for known in self.catalog.remove(ids):
            self._clear(known)
            self.is_dirty = True

    def worded(self, tenant: str, words: Sequence[str], limit: int, to: Narrowing) -> list[ChunkName]:
        """The chunks that hold any of the words, best first."""
        if self._words.is_dirty:  # here and not before: it costs as much as a letter's machinery
            self._words.commit()
        return self._named(self._words.best(self.catalog.tenant(tenant), words, limit, to))

    def near(self, tenant: str, query: bytes, limit: int, to: Narrowing) -> list[ChunkName]:
        """The chunks whose vectors are nearest to `query` (float32, length 1), nearest first."""
        number, vector = self.catalog.tenant(tenant), np.frombuffer(query, "<f4")
        if to.is_open:
            return self._named(self._vectors.near(number, vector, limit))
        documents = self.catalog.narrowed(number, to)
        if sum(chunks for _, chunks in documents) <= EXACT:
            return self._named(self._vectors.near(number, vector, limit, among=_keys(documents)))
        wanted = {document for document, _ in documents}
        found = self._vectors.near(number, vector, limit * _MANY)
        return self._named([key for key in found if key // MAX_CHUNKS in wanted][:limit])

    def save(self) -> None:
        """Make everything durable."""
        if self.is_dirty:
            self._words.commit()
            self._vectors.save()
            self.is_dirty = False
        self.catalog.commit()

    def close(self) -> None:
        """Save, and close the files."""
        self.save()
        self._words.close()
        self.catalog.close()

    def _clear(self, known: Known) -> None:
        self._words.remove(known.number)
        self._vectors.remove(known.tenant, [_key(known.number, index) for index in range(known.chunks)])

    def _named(self, keys: Sequence[int]) -> list[ChunkName]:
        names = self.catalog.names({key // MAX_CHUNKS for key in keys})
        # what has no name was removed since
        return [(names[key // MAX_CHUNKS], key % MAX_CHUNKS) for key in keys if key // MAX_CHUNKS in names]


def _is_of_model(vector: bytes | None) -> TypeGuard[bytes]:
    """Whether it can be compared with what the model makes of a search."""
    return vector is not None and len(vector) == DIMENSIONS * 4


def _key(document: int, index: int) -> int:
    return document * MAX_CHUNKS + index


def _keys(documents: Sequence[tuple[int, int]]) -> NDArray[np.uint64]:
    ranges = [np.arange(chunks, dtype=np.uint64) + np.uint64(number * MAX_CHUNKS) for number, chunks in documents]
    return np.concatenate(ranges) if ranges else np.zeros(0, np.uint64)
