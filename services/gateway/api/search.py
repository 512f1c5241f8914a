"""Search: a tenant's chunks, best first, by words and by meaning."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from services.gateway.api.schemas import SearchResults
from services.gateway.dependencies import FairSlotsDep, ProjectionsDep, SearcherDep, Tenant
from services.gateway.http.responses import Json
from services.gateway.problems import Problem
from services.gateway.queries import cursors
from services.gateway.search import rank_fusion
from services.gateway.search.narrowing import Narrowing
from shared.storage.mongo import Row

router = APIRouter(prefix="/v1", tags=["search"])

DEPTH: Final = 200  # chunks of each ranking that are fused
AT_ONCE: Final = 8  # searches; there is one model, which is asked one question after the other
QUEUE_SECONDS: Final = 10.0  # how long one more waits for its turn


@router.get("/search", response_model=SearchResults, summary="Find chunks by words and by meaning, best first")
async def search(
    search_slots: FairSlotsDep,
    projections: ProjectionsDep,
    searcher: SearcherDep,
    tenant: Tenant,
    q: Annotated[str, Query(min_length=1, max_length=500, description="Words, or a question.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
    batch: Annotated[str | None, Query(max_length=100, description="Only of this batch.")] = None,
    tags: Annotated[tuple[str, ...], Query(alias="tag", description="Only with this tag; may be repeated.")] = (),
    kind: Annotated[
        str | None, Query(alias="type", max_length=100, description="Only this type of document, as in `…/extraction`.")
    ] = None,
    since: Annotated[AwareDatetime | None, Query(description="Only uploaded then or later, with a time zone.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only uploaded then or earlier.")] = None,
) -> Response:
    """`{"results": [{"document_id", "filename", "index", "pages", "start", "end", …}], "next_cursor", "complete"}`.

    Each also has `text`, `highlights` (`[start, end]` in characters of `text`) and `score`: 1 is first by words and by
    meaning. `start` and `end` are the chunk's place in the document's text, as in `…/chunks`.
    """
    start = cursors.read(cursor, int)[0] if cursor else 0
    if start < 0:
        raise Problem("bad_request", detail="The cursor is not one that a list gave you")
    words = rank_fusion.words_of(q)
    narrowing = Narrowing(batch, tuple(tags), kind, since, until)
    async with search_slots.one(tenant):
        found = await searcher.search(tenant, q, words, DEPTH, narrowing)
    ranked = rank_fusion.fused([found.worded, found.near])
    shown = [(f"{document_id}/{index}", score) for (document_id, index), score in ranked[start : start + limit]]
    rows = await projections.chunks_by_id(tenant, [key for key, _ in shown])
    results = [_result(rows[key], score, words) for key, score in shown if key in rows]
    more = cursors.write(start + limit) if len(ranked) > start + limit else None
    return Json({"results": results, "next_cursor": more, "complete": found.complete})


def _result(row: Row, score: float, words: list[str]) -> Row:
    named = {name: row[name] for name in ("document_id", "filename", "index", "pages", "start", "end", "text")}
    return {**named, "highlights": rank_fusion.highlights(row["text"], words), "score": score}
