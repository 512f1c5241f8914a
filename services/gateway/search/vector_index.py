"""The vectors of chunks, for each tenant a graph of near neighbours on disk (usearch).

Up to EXACT of them are compared one by one, which takes 3 ms; beyond that the graph finds nearly all of the nearest.
"""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index

from shared.embedding.model import DIMENSIONS

EXACT: Final = 20_000
NEAR: Final = 0.3  # cosine; unrelated sentences of this model lie below (see the tests of the model)
_OPEN: Final = 64  # tenants whose graphs are in memory

Vectors = NDArray[np.float32]
Keys = NDArray[np.uint64]


class IndexDamaged(RuntimeError):
    """A file of the index cannot be read."""


class VectorIndex:
    """Vectors of length 1 by key; what is added or removed is found at once, and durable after `save`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._graphs: OrderedDict[int, Index] = OrderedDict()
        self._changed: set[int] = set()

    def add(self, tenant: int, keys: Sequence[int], vectors: Vectors) -> None:
        """Add vectors, shape [len(keys), 384], under keys that have none."""
        self._graph(tenant).add(np.asarray(keys, np.uint64), vectors, threads=1)
        self._changed.add(tenant)

    def remove(self, tenant: int, keys: Sequence[int]) -> None:
        """Remove what stands under the keys."""
        graph, gone = self._graph(tenant), np.asarray(keys, np.uint64)
        there = gone[np.asarray(graph.contains(gone), bool)]
        if len(there):
            graph.remove(there)
        self._changed.add(tenant)

    def near(self, tenant: int, query: Vectors, limit: int, among: Keys | None = None) -> list[int]:
        """The keys of the nearest vectors, nearest first, none further than NEAR; `among` limits them to some."""
        graph = self._graph(tenant)
        if not len(graph):
            return []
        if among is not None:
            return self._nearest_among(graph, query, limit, among)
        found: Any = graph.search(query, limit, exact=len(graph) <= EXACT, threads=1)
        near = found.distances <= 1.0 - NEAR
        return [int(key) for key in found.keys[near]]

    def save(self) -> None:
        """Make everything so far durable."""
        for tenant in self._changed:
            beside = self._file(tenant).with_suffix(".new")
            self._graphs[tenant].save(str(beside))
            beside.replace(self._file(tenant))
        self._changed.clear()

    def _nearest_among(self, graph: Index, query: Vectors, limit: int, among: Keys) -> list[int]:
        there = among[np.asarray(graph.contains(among), bool)]
        if not len(there):
            return []
        scores = np.asarray(graph.get(there), np.float32) @ query
        best = np.argsort(-scores)[:limit]
        return [int(there[place]) for place in best if scores[place] >= NEAR]

    def _graph(self, tenant: int) -> Index:
        graph = self._graphs.get(tenant)
        if graph is None:
            graph = self._graphs[tenant] = Index(
                ndim=DIMENSIONS, metric="ip", dtype="f16", expansion_add=64, expansion_search=800
            )
            if self._file(tenant).exists():
                try:
                    graph.load(str(self._file(tenant)))
                except (RuntimeError, ValueError) as error:
                    raise IndexDamaged(self._file(tenant).name) from error
            self._close_some()
        self._graphs.move_to_end(tenant)
        return graph

    def _close_some(self) -> None:
        """Let go of those that were used longest ago; what is not saved yet stays."""
        over = [tenant for tenant in self._graphs if tenant not in self._changed][: max(0, len(self._graphs) - _OPEN)]
        for tenant in over:
            del self._graphs[tenant]

    def _file(self, tenant: int) -> Path:
        return self._folder / f"{tenant}.usearch"
