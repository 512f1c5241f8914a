"""What was read in a document: pages, text, chunks, findings, the file itself, and what happened to it."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from services.gateway.api.schemas import ChunkPage, DocumentText, DocumentView, PageList, Timeline
from services.gateway.dependencies import Asking, BlobsDep, Key, PageImagesDep, ProjectionsDep, ReaderDep, TimeTravelDep
from services.gateway.http import json_parts
from services.gateway.http.responses import Encoded, Json
from services.gateway.problems import Problem
from services.gateway.queries import cursors, page_status
from services.gateway.queries.page_images import DEFAULT_WIDTH, WIDTHS, kept
from services.gateway.targets import DocumentKey
from services.gateway.uploads import filenames
from shared.harness.contract import Plan, Slice
from shared.results import Extraction, Page
from shared.storage import blob_names
from shared.storage.blobs import BlobDamaged, BlobMissing, Blobs
from shared.storage.mongo import Row

router = APIRouter(prefix="/v1/documents/{document_id}", tags=["results"])

MAX_ROWS: Final = 1_000  # chunks or events in one answer

# With what people uploaded: it is never run as a page of ours, whatever a browser takes it for.
_HARMLESS: Final = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}

Limit = Annotated[int, Query(ge=1, le=MAX_ROWS)]
Cursor = Annotated[str | None, Query(max_length=512)]
PageNumber = Annotated[int, Path(ge=1, le=cursors.HIGHEST)]
Width = Annotated[int, Query(ge=WIDTHS[0], le=WIDTHS[1], description="At most so many pixels wide.")]


@router.get("/pages", response_model=PageList, summary="Which pages there are and how far each is")
async def list_pages(reader: ReaderDep, blobs: BlobsDep, key: Key) -> Response:
    """`{"pages": [{"page", "status"}]}`; empty until the pages are counted."""
    row = (await reader.document(key)).row
    plan = await _plan(blobs, key, row)
    return Json({"pages": page_status.statuses(plan, _slices(row)) if plan else []})


@router.get("/pages/{page}", response_model=Page, summary="One page with its words; there as soon as it is done")
async def page_of(reader: ReaderDep, blobs: BlobsDep, key: Key, page: PageNumber) -> Response:
    """`{"page", "text", "source", "confidence", "width", "height", "words": […]}`, 409 while it is not there yet."""
    row = (await reader.document(key)).row
    number, slice_ = await _slice_of(blobs, key, row, page)
    name = blob_names.slice_result(key.tenant, key.document_id, "ocr", row["plans"]["ocr"], number)
    status = _slices(row).status(number)
    try:
        found = await json_parts.page(blobs, name, slice_.pages[0] if slice_.pages else 1, page)
    except BlobMissing:
        if status == "done":
            raise Problem("result_missing", name=f"page {page}") from None
        raise (Problem("page_failed", page=page) if status == "failed" else _not_ready("page", row)) from None
    except BlobDamaged:
        raise Problem("result_missing", name=f"page {page}") from None
    if found is None:
        raise Problem("page_failed", page=page)
    return Encoded(bytes(found))


@router.get(
    "/pages/{page}/image",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": _BINARY}}},
    summary="One page as a JPEG image; there as soon as the pages are counted",
)
async def image_of(
    reader: ReaderDep,
    page_images: PageImagesDep,
    blobs: BlobsDep,
    key: Key,
    caller: Asking,
    request: Request,
    page: PageNumber,
    width: Width = DEFAULT_WIDTH,
) -> Response:
    """The page as the boxes of its words are measured: as high to its width as `height` to `width` of the page's JSON.

    409 until the pages are counted, 404 for a page that is text. A picture that is narrower is not made wider.
    A token gets the next narrower of the widths that are kept: 16, 64, 200, 1000 and 1600 pixels.
    """
    width = width if caller.right == "all" else kept(width)
    row = (await reader.document(key)).row
    _, slice_ = await _slice_of(blobs, key, row, page)
    plan_id = row["plans"]["ocr"]
    # The same plan draws the same page. A browser revalidates it each time: the right to see it may be gone by then.
    headers = {"ETag": f'"{plan_id}-{page}-{width}"', "Cache-Control": "private, no-cache", **_HARMLESS}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    jpeg = await page_images.jpeg(key, plan_id, slice_, page, width)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.get(
    "/text",
    response_model=DocumentText,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="The whole text, as JSON with the offsets of the pages, or as text/plain",
)
async def text(reader: ReaderDep, blobs: BlobsDep, key: Key, request: Request) -> Response:
    """`{"document_id", "text", "pages": [{"page", "start", "end", …}]}`; plain text where only that is accepted."""
    row = (await reader.document(key)).row
    _require(row, "ocr", "text")
    name = row["results"]["ocr"]
    with _readable("text"):
        if request.headers.get("accept", "").startswith("text/plain"):
            return StreamingResponse(await json_parts.plain_text(blobs, name), media_type="text/plain")
        found = await json_parts.text(blobs, name)
    return Encoded(json_parts.joined(document_id=key.document_id, text=found.text, pages=found.pages))


@router.get("/chunks", response_model=ChunkPage, summary="The text in chunks that can be searched")
async def chunks(
    reader: ReaderDep, projections: ProjectionsDep, key: Key, limit: Limit = 200, cursor: Cursor = None
) -> Response:
    """`{"chunks": [{"index", "text", "pages", "start", "end", "heading_path"}], "next_cursor"}`."""
    start = cursors.read(cursor, int)[0] if cursor else 0
    row = (await reader.document(key)).row
    _require(row, "chunk", "list of chunks")
    rows = await projections.chunks(key, limit=limit + 1, start=start)
    more = cursors.write(rows[limit]["index"]) if len(rows) > limit else None
    return Json({"chunks": [_public(found) for found in rows[:limit]], "next_cursor": more})


@router.get("/extraction", response_model=Extraction, summary="What kind of document it is and what was found in it")
async def extraction(reader: ReaderDep, projections: ProjectionsDep, blobs: BlobsDep, key: Key) -> Response:
    """`{"document_type", "language", "title", "summary", "keywords", "findings", "warnings"}`."""
    row = (await reader.document(key)).row
    _require(row, "extract", "extraction")
    found = await projections.extraction(key)
    if found is None:
        raise _not_ready("extraction", row)
    if "findings_in" not in found:
        return Json(_public(found))
    with _readable("extraction"):  # too many for one row
        findings = await json_parts.findings(blobs, found.pop("findings_in"))
    return Encoded(json_parts.joined(**_public(found) | {"findings": findings}))


@router.get(
    "/file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": _BINARY}}},
    summary="The uploaded file, as it came",
)
async def file(reader: ReaderDep, blobs: BlobsDep, key: Key) -> Response:
    """The bytes, always as a download: what people upload must never run as a page of ours."""
    view = (await reader.document(key)).row["view"]
    stream = blobs.reading(blob_names.source(*key))
    try:
        first = await anext(stream, b"")
    except BlobMissing:
        raise Problem("source_missing") from None
    headers = {
        "Content-Disposition": filenames.attachment(view["filename"]),
        "Content-Length": str(view["bytes"]),
        **_HARMLESS,
    }
    return StreamingResponse(_joined(first, stream), media_type=view["content_type"], headers=headers)


@router.get("/timeline", response_model=Timeline, summary="What happened to it, in the order of the log")
async def timeline(
    reader: ReaderDep, projections: ProjectionsDep, key: Key, limit: Limit = 500, cursor: Cursor = None
) -> Response:
    """`{"events": [{"version", "event_id", "type", "at", "stage", "attempt", "page", "summary"}], "next_cursor"}`.

    `summary` is a sentence in English; `code` and `params` are for those who translate it.
    """
    after = cursors.read(cursor, int)[0] if cursor else -1
    await reader.document(key)
    rows = await projections.timeline(key, limit=limit + 1, after=after)
    more = cursors.write(rows[limit - 1]["offset"]) if len(rows) > limit else None
    events = [{"event_id": row["_id"].rpartition("/")[2], **_public(row)} for row in rows[:limit]]
    return Json({"events": events, "next_cursor": more})


@router.get(
    "/timeline/{version}",
    response_model=DocumentView,
    summary="The document view as it was at a version of its timeline",
)
async def as_it_was(
    time_travel: TimeTravelDep, reader: ReaderDep, key: Key, version: Annotated[int, Path(ge=1, le=cursors.HIGHEST)]
) -> Response:
    """The view after the last fact up to that version, folded from the log; 404 for one before the first."""
    return Json(await time_travel.view(key, version, (await reader.document(key)).row["view"]))


async def _slice_of(blobs: Blobs, key: DocumentKey, row: Row, page: int) -> tuple[int, Slice]:
    """The slice that reads `page`, with its number. Raises Problem where there is none, or none yet."""
    plan = await _plan(blobs, key, row)
    if plan is None:
        raise _not_ready("page", row)
    number = page_status.slice_of(plan, page)
    if number is None:
        raise Problem("page.not_found", page=page, total=page_status.total(plan))
    return number, plan.slices[number]


async def _plan(blobs: Blobs, key: DocumentKey, row: Row) -> Plan | None:
    plan_id = row.get("plans", {}).get("ocr")
    if plan_id is None:
        return None
    try:
        return Plan.model_validate(await blobs.get_result(blob_names.plan(*key, "ocr", plan_id)))
    except (BlobMissing, BlobDamaged):
        raise Problem("result_missing", name="the list of pages") from None


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """A stored result that is missing or damaged is a Problem."""
    try:
        yield
    except (BlobMissing, BlobDamaged):
        raise Problem("result_missing", name=what) from None


def _require(row: Row, stage: str, what: str) -> None:
    """Raise unless the stage has concluded and its result could be loaded."""
    if fault := row.get("faults", {}).get(stage):
        code = "result_unusable" if fault["code"] == "result_unusable" else "result_missing"
        raise Problem(code, name=what)
    if stage not in row.get("results", {}):
        raise _not_ready(what, row)


def _slices(row: Row) -> page_status.Slices:
    found = row.get("slices", {}).get("ocr", {})
    return page_status.Slices(
        bytes(found.get("done", b"")), frozenset(found.get("failed", ())), frozenset(found.get("running", ()))
    )


def _not_ready(what: str, row: Row) -> Problem:
    view = row["view"]
    return Problem("not_ready", what=what, document_status=view["status"], percent=view["percent"])


def _public(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("_id", "document_id", "tenant")}


async def _joined(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk
