"""Resumable uploads over HTTP: the tus protocol 1.0.0 under /v1/uploads. The id of an upload is its document's id."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from services.gateway.auth.limits import Holders, Limits
from services.gateway.dependencies import Holding, LimitsDep, ResumableUploadsDep, Tenant, UploadsDep
from services.gateway.http.responses import EXPECTED, as_problem, problem_answer
from services.gateway.uploads import tus
from services.gateway.uploads.incoming_body import paced
from services.gateway.uploads.ingest import Uploads
from services.gateway.uploads.resumable import ResumableUploads
from shared.storage.partial_uploads import PartialUpload

_PREFIX: Final = "/v1/uploads"


class _Tus(APIRoute):
    """Every answer names the version of the protocol, refusals too; every request but OPTIONS must name it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, within the protocol."""
        handle = super().get_route_handler()

        async def within(request: Request) -> Response:
            try:
                if request.method != "OPTIONS":
                    tus.check_version(request.headers)
                answer = await handle(request)
            except EXPECTED as error:
                answer = problem_answer(as_problem(error, request))
            answer.headers["Tus-Resumable"] = tus.VERSION
            if answer.status_code == 412:
                answer.headers["Tus-Version"] = tus.VERSION
            return answer

        return within


router = APIRouter(prefix=_PREFIX, tags=["resumable uploads"], route_class=_Tus)


@router.options("", status_code=204, summary="What resumable uploads can do here (tus 1.0.0)")
async def options(uploads: UploadsDep) -> Response:
    """`Tus-Version`, `Tus-Extension`, `Tus-Max-Size`, `Tus-Checksum-Algorithm`."""
    return Response(status_code=204, headers=tus.capabilities(uploads.max_bytes))


@router.post("", status_code=201, response_class=Response, summary="Begin a resumable upload; its bytes may come along")
async def create(
    request: Request,
    resumable_uploads: ResumableUploadsDep,
    uploads: UploadsDep,
    limits: LimitsDep,
    tenant: Tenant,
    holders: Holding,
) -> Response:
    """`Upload-Length`, and in `Upload-Metadata`: filename, filetype, languages, batch, tags (a,b), force."""
    length = tus.number(request.headers, "Upload-Length")
    upload = await resumable_uploads.create(tenant, length, request.headers.get("upload-metadata", ""))
    location = {"Location": f"{_PREFIX}/{upload.document_id}"}
    if "content-type" not in request.headers:
        return Response(status_code=201, headers={**location, **_headers(upload, 0)})
    tus.check_content_type(request.headers)
    upload, offset = await _receive(uploads, limits, resumable_uploads, request, holders, upload, 0)
    return Response(status_code=201, headers={**location, **_headers(upload, offset)})


@router.head("/{document_id}", response_class=Response, summary="Where the upload continues")
async def where(document_id: str, resumable_uploads: ResumableUploadsDep, tenant: Tenant) -> Response:
    """`Upload-Offset`; once it equals `Upload-Length` the document is in the log, and `Content-Location` names it."""
    upload = await resumable_uploads.find(tenant, document_id)
    offset = await resumable_uploads.offset(upload)
    if offset == upload.length:
        upload = await resumable_uploads.finish(upload)
    said = {"Upload-Metadata": upload.metadata} if upload.metadata else {}
    headers = {"Cache-Control": "no-store", "Upload-Length": str(upload.length), **said, **_headers(upload, offset)}
    return Response(status_code=200, headers=headers)


@router.patch("/{document_id}", status_code=204, summary="Send the bytes from Upload-Offset on")
async def receive(
    document_id: str,
    request: Request,
    resumable_uploads: ResumableUploadsDep,
    uploads: UploadsDep,
    limits: LimitsDep,
    tenant: Tenant,
    holders: Holding,
) -> Response:
    """204 with the new `Upload-Offset`; with the last byte `Content-Location` names the document."""
    tus.check_content_type(request.headers)
    upload = await resumable_uploads.find(tenant, document_id)
    at = tus.number(request.headers, "Upload-Offset")
    upload, offset = await _receive(uploads, limits, resumable_uploads, request, holders, upload, at)
    return Response(status_code=204, headers=_headers(upload, offset))


@router.delete("/{document_id}", status_code=204, summary="Give the upload up")
async def remove(document_id: str, resumable_uploads: ResumableUploadsDep, tenant: Tenant) -> Response:
    """What was sent is removed. A document that is whole already stays: erase it under /v1/documents."""
    await resumable_uploads.remove(await resumable_uploads.find(tenant, document_id))
    return Response(status_code=204)


async def _receive(
    uploads: Uploads,
    limits: Limits,
    resumable_uploads: ResumableUploads,
    request: Request,
    holders: Holders,
    upload: PartialUpload,
    at: int,
) -> tuple[PartialUpload, int]:
    checksum = tus.Checksum.of(request.headers)
    declared = uploads.check_length(request.headers.get("content-length"))
    with limits.upload(holders, declared) as arrived:
        chunks = paced(request.stream(), arrived, limits.pace)
        offset = await resumable_uploads.receive(upload, at, chunks, checksum)
    return (await resumable_uploads.finish(upload) if offset == upload.length else upload), offset


def _headers(upload: PartialUpload, offset: int) -> dict[str, str]:
    headers = {"Upload-Offset": str(offset), "Upload-Expires": tus.expires(upload.expires_at)}
    if upload.result is None:
        return headers
    document_id, is_duplicate = upload.result
    return {
        **headers,
        "Content-Location": f"/v1/documents/{document_id}",
        "Pagestream-Duplicate": "true" if is_duplicate else "false",
    }
