"""Documents: upload, list, view."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from services.gateway.api.schemas import Accepted, DocumentList, DocumentStatus, DocumentView
from services.gateway.auth.limits import Limits
from services.gateway.dependencies import (
    Holding,
    HubDep,
    Key,
    LimitsDep,
    ProjectionsDep,
    ReaderDep,
    Tenant,
    UploadsDep,
    caller_of,
    holders_of,
)
from services.gateway.http.responses import Json
from services.gateway.live.change_waiters import within
from services.gateway.live.hub import Hub
from services.gateway.queries import cursors
from services.gateway.queries.projections import DOCUMENTS, ListFilter
from services.gateway.targets import DocumentKey, Target
from services.gateway.uploads import filenames, multipart
from services.gateway.uploads.incoming_body import paced
from services.gateway.uploads.ingest import IncomingUpload
from services.gateway.uploads.options import upload_info, upload_options

router = APIRouter(prefix="/v1/documents", tags=["documents"])

STATUSES: Final = "|".join(get_args(DocumentStatus))
MAX_LISTED: Final = 200  # documents in one answer
_BREATH: Final = 0.1  # seconds between two readings for one long poll

IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255)]
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for something newer than `since`.")]
Since = Annotated[str | None, Query(max_length=128, description="The ETag of the last answer, without quotes.")]
Languages = Annotated[str | None, Query(max_length=128, description="Tesseract's names, as in `eng+deu`.")]
BatchName = Annotated[str | None, Query(max_length=100, description="The batch: documents that are watched as one.")]
Tags = Annotated[tuple[str, ...], Query(alias="tag", description="A tag; may be given several times.")]


@router.post(
    "",
    status_code=202,
    response_model=Accepted,
    responses={200: {"model": Accepted, "description": "These bytes are here already"}},
    summary="Upload a document: a form's part `file`, or its bytes with ?filename=",
)
async def upload(
    request: Request,
    uploads: UploadsDep,
    limits: LimitsDep,
    reader: ReaderDep,
    tenant: Tenant,
    holders: Holding,
    filename: Annotated[str | None, Query(max_length=1024)] = None,
    force: bool = False,
    languages: Languages = None,
    batch: BatchName = None,
    tags: Tags = (),
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """202 once the fact is in the log; 200 with `"duplicate": true` when these bytes are here already."""
    declared = uploads.check_length(request.headers.get("content-length"))
    info = upload_info(batch, tags)
    options = upload_options(languages, force=force, idempotency_key=idempotency_key)
    with limits.upload(holders, declared) as arrived:
        chunks = paced(request.stream(), uploads.checking(arrived), limits.pace)
        filename, content_type, chunks = await _file_of(request, chunks, filename)
        info = info._replace(filename=filename)
        incoming = IncomingUpload(tenant, info, content_type, chunks, options)
        taken = await uploads.take(incoming, declared)
    document_id = taken.fact.document_id
    if document_id == incoming.document_id:  # not where an Idempotency-Key stands for an earlier one
        reader.upload_info.put(DocumentKey(tenant, document_id), info)
    body = {"document_id": document_id, "duplicate": taken.duplicate, "links": _links(document_id)}
    headers = {"Location": f"/v1/documents/{document_id}"}
    return Json(body, status_code=200 if taken.duplicate else 202, headers=headers)


async def _file_of(
    request: Request, chunks: AsyncIterator[bytes], filename: str | None
) -> tuple[str, str | None, AsyncIterator[bytes]]:
    """The file of a form's part `file`, or the body itself: its clean name, its declared type, its bytes."""
    content_type = request.headers.get("content-type", "")
    if boundary := multipart.boundary_of(content_type):
        part = multipart.FilePart(chunks, boundary)
        await part.open()
        filename, content_type, chunks = filename or part.filename, part.content_type or "", aiter(part.chunks())
    return filenames.clean(filename), content_type[:255] or None, chunks


@router.get("", response_model=DocumentList, summary="List documents, newest first")
async def list_documents(
    projections: ProjectionsDep,
    hub: HubDep,
    limits: LimitsDep,
    tenant: Tenant,
    request: Request,
    status: Annotated[str | None, Query(pattern=f"^({STATUSES})$")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
    batch: BatchName = None,
    tags: Tags = (),
    wait: Wait = 0,
    since: Since = None,
) -> Response:
    """`{"documents": [view, …], "next_cursor": … or null}`; with `wait` and `since` once something changed."""
    after = cursors.read_after(cursor)
    wish = ListFilter(tenant, status, batch, tags)

    async def read() -> tuple[str, Mapping[str, Any]]:
        generation, rows = await projections.newest(wish, limit=limit + 1, after=after)
        shown, more = cursors.cut(rows, limit, by=DOCUMENTS.at)
        tag = f"{generation}:{_mark([row['view'] for row in shown])}"
        return tag, {"documents": [row["view"] for row in shown], "next_cursor": more}

    tag, body = await newer(hub, limits, request, Target.of_feed(tenant), read, wait, since)
    return tagged(request, tag, body)


@router.get("/{document_id}", response_model=DocumentView, summary="The document view")
async def view(
    hub: HubDep, limits: LimitsDep, key: Key, request: Request, wait: Wait = 0, since: Since = None
) -> Response:
    """The view; with `wait` and `since` (`epoch:version`) once there is something newer."""
    return await viewed(hub, limits, key, request, wait, since)


async def viewed(
    hub: Hub, limits: Limits, key: DocumentKey, request: Request, wait: float, since: str | None
) -> Response:
    """The view of a document or standalone job, as soon as it is newer than `since`."""

    async def read() -> tuple[str, Mapping[str, Any]]:
        found = (await hub.reader.document(key)).row["view"]
        return f"{found['epoch']}:{found['version']}", found

    tag, body = await newer(hub, limits, request, Target.of_key(*key), read, wait, since)
    return tagged(request, tag, body)


Read = Callable[[], Awaitable[tuple[str, Mapping[str, Any]]]]


async def newer(
    hub: Hub, limits: Limits, request: Request, target: Target, read: Read, wait: float, since: str | None
) -> tuple[str, Mapping[str, Any]]:
    """What `read` returns (a tag and a body) as soon as it is newer than `since`; after `wait` seconds in any case.

    Who waits has a live connection. Raises Problem("too_many_connections").
    """
    clock = asyncio.get_running_loop().time
    until = clock() + wait
    held = limits.connections.one(holders_of(caller_of(request), request)) if wait else nullcontext()
    with held, hub.reader.changes.expecting(target) as changed:
        while True:
            changed.clear()
            began = clock()
            tag, body = await read()
            if not wait or since is None or is_newer(tag, since) or hub.closing.is_set():
                return tag, body
            if not await within(changed, until):
                return tag, body
            await asyncio.sleep(min(began + _BREATH, until) - clock())  # what changes together is read once


def is_newer(tag: str, since: str) -> bool:
    """Whether `tag` (`epoch:version`) is newer than `since`; a tag that cannot be compared counts as newer."""
    epoch, _, version = tag.rpartition(":")
    known_epoch, _, known = since.rpartition(":")
    if epoch == known_epoch and version.isdecimal() and known.isdecimal():
        return int(version) > int(known)
    return tag != since


def tagged(request: Request, tag: str, body: Mapping[str, Any]) -> Response:
    """The answer with its ETag, or 304 for who has it already."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    if f'"{tag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Json(body, headers=headers)


def _mark(views: list[Mapping[str, Any]]) -> str:
    """A short word that is another whenever one of `views` is."""
    shown = ";".join(f"{view['document_id']}:{view['version']}" for view in views)
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def _links(document_id: str) -> dict[str, str]:
    here = f"/v1/documents/{document_id}"
    names = ("live", "pages", "text", "chunks", "extraction", "file", "timeline")
    return {"self": here, **{name: f"{here}/{name}" for name in names}}
