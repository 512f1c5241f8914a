"""The vectors of a tenant's chunks in memory: near ones are found by comparing with all, without an index.

10,000 chunks are 15 MB and compared within 5 ms. Beyond MAX_CHUNKS only the newest documents are found by meaning; by
words all are.
"""

import asyncio
from collections import OrderedDict
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.gateway.queries.projections import Projections, Stored

MAX_CHUNKS: Final = 50_000  # vectors of one tenant
TENANTS: Final = 4  # whose vectors are kept
NEAR: Final = 0.3  # cosine; unrelated sentences of this model lie below (see the tests of the model)

Matrix = NDArray[np.float32]


class _Document(NamedTuple):
    result: str  # the name of what was loaded: another one is another text
    ids: list[str]
    matrix: Matrix


class _Kept:
    def __init__(self) -> None:
        self.documents: dict[str, _Document] = {}
        self.ids: list[str] = []
        self.matrix: Matrix = np.zeros((0, 0), np.float32)


class VectorIndex:
    """Follows the projection: a look before each search loads what is new and drops what is gone."""

    def __init__(self, projections: Projections) -> None:
        self._projections = projections
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._turn = asyncio.Lock()  # what is new is loaded once

    async def near(self, tenant: str, query: bytes, limit: int) -> list[str]:
        """The ids of the chunks nearest to a vector of length 1, nearest first, none that is further than NEAR."""
        async with self._turn:
            kept = await self._refreshed(tenant)
        return await asyncio.to_thread(_nearest, kept.ids, kept.matrix, query, limit) if kept.ids else []

    async def _refreshed(self, tenant: str) -> _Kept:
        generation, stored = await self._projections.chunked(tenant)
        kept = self._kept.setdefault((generation, tenant), _Kept())
        self._kept.move_to_end((generation, tenant))
        while len(self._kept) > TENANTS:
            self._kept.popitem(last=False)
        wanted = {document.document_id: document.result for document in stored}
        known = {i: document for i, document in kept.documents.items() if wanted.get(i) == document.result}
        new = [document for document in stored if document.document_id not in known]
        if new or len(known) != len(kept.documents):
            known |= await self._load(tenant, new, MAX_CHUNKS - sum(len(document.ids) for document in known.values()))
            parts = [document.matrix for document in known.values() if document.ids]
            matrix = await asyncio.to_thread(np.vstack, parts) if parts else kept.matrix  # at most 77 MB: 20 ms
            ids = [i for document in known.values() for i in document.ids]
            kept.documents, kept.ids, kept.matrix = known, ids, matrix
        return kept

    async def _load(self, tenant: str, new: list[Stored], room: int) -> dict[str, _Document]:
        """The newest of `new` that have room; a document without a vector is kept as one without chunks."""
        found: dict[str, tuple[list[str], list[bytes]]] = {}
        async for document_id, chunk_id, vector in self._projections.vectors(
            tenant, [d.document_id for d in new], room
        ):
            ids, vectors = found.setdefault(document_id, ([], []))
            ids.append(chunk_id)
            vectors.append(vector)
        loaded = {}
        for document in new:
            ids, vectors = found.get(document.document_id, ([], []))
            matrix = np.frombuffer(b"".join(vectors), "<f4").reshape(len(ids), -1) if ids else np.zeros((0, 0), "<f4")
            loaded[document.document_id] = _Document(document.result, ids, np.asarray(matrix, np.float32))
        return loaded


def _nearest(ids: list[str], matrix: Matrix, query: bytes, limit: int) -> list[str]:
    scores = matrix @ np.frombuffer(query, "<f4")
    best = np.argsort(-scores)[:limit]
    return [ids[place] for place in best if scores[place] >= NEAR]
