"""Search: a tenant's chunks, best first, by words and by meaning."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.gateway.api.schemas import SearchResults
from services.gateway.dependencies import FairSlotsDep, ProjectionsDep, QueryEmbedderDep, Tenant, VectorIndexDep
from services.gateway.http.responses import Json
from services.gateway.problems import Problem
from services.gateway.queries import cursors
from services.gateway.search import rank_fusion
from services.gateway.search.query_embedder import QueryEmbedder
from services.gateway.search.vector_index import VectorIndex
from shared.storage.mongo import Row

router = APIRouter(prefix="/v1", tags=["search"])

DEPTH: Final = 200  # chunks of each ranking that are fused
AT_ONCE: Final = 8  # searches; there is one model, which is asked one question after the other
QUEUE_SECONDS: Final = 10.0  # how long one more waits for its turn


@router.get("/search", response_model=SearchResults, summary="Find chunks by words and by meaning, best first")
async def search(
    search_slots: FairSlotsDep,
    projections: ProjectionsDep,
    query_embedder: QueryEmbedderDep,
    vector_index: VectorIndexDep,
    tenant: Tenant,
    q: Annotated[str, Query(min_length=1, max_length=500, description="Words, or a question.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
) -> Response:
    """`{"results": [{"document_id", "filename", "index", "pages", "start", "end", …}], "next_cursor"}`.

    Each also has `text`, `highlights` (`[start, end]` in characters of `text`) and `score`: 1 is first by words and by
    meaning. `start` and `end` are the chunk's place in the document's text, as in `…/chunks`.
    """
    start = cursors.read(cursor, int)[0] if cursor else 0
    if start < 0:
        raise Problem("bad_request", detail="The cursor is not one that a list gave you")
    words = rank_fusion.words_of(q)
    async with search_slots.one(tenant):
        worded, near = (
            await projections.worded(tenant, words, DEPTH),
            await _near(query_embedder, vector_index, tenant, q),
        )
    ranked = rank_fusion.fused([worded, near])
    shown = ranked[start : start + limit]
    rows = await projections.chunks_by_id(tenant, [key for key, _ in shown])
    results = [_result(rows[key], score, words) for key, score in shown if key in rows]
    more = cursors.write(start + limit) if len(ranked) > start + limit else None
    return Json({"results": results, "next_cursor": more})


async def _near(query_embedder: QueryEmbedder, vector_index: VectorIndex, tenant: str, q: str) -> list[str]:
    vector = await query_embedder.vector(q)
    return await vector_index.near(tenant, vector, DEPTH) if vector else []


def _result(row: Row, score: float, words: list[str]) -> Row:
    named = {name: row[name] for name in ("document_id", "filename", "index", "pages", "start", "end", "text")}
    return {**named, "highlights": rank_fusion.highlights(row["text"], words), "score": score}
