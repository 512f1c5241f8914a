"""What a person asks of a document: retry, cancel, erase."""

import uuid
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from services.gateway.api.documents import IdempotencyKey
from services.gateway.api.schemas import Deleted, Requested
from services.gateway.dependencies import ClaimsDep, Key, ProducerDep, ReaderDep, ResumableUploadsDep
from services.gateway.http.responses import Json
from services.gateway.live.document_reader import DocumentReader
from services.gateway.problems import Problem
from services.gateway.targets import DocumentKey
from shared.document.state import TERMINAL
from shared.events.document import CancelRequested, DocumentDeleted, Fact, RetryRequested, utcnow
from shared.kafka.producer import Producer
from shared.storage.upload_claims import Claims

router = APIRouter(prefix="/v1/documents/{document_id}", tags=["control"])


@router.post("/retry", status_code=202, response_model=Requested, summary="Try again what failed or is missing")
async def retry(
    reader: ReaderDep, claims: ClaimsDep, producer: ProducerDep, key: Key, idempotency_key: IdempotencyKey = None
) -> Response:
    """Possible in failed, cancelled and partial; 409 otherwise."""
    return await _request(reader, claims, producer, key, RetryRequested, idempotency_key, check_retry)


@router.post("/cancel", status_code=202, response_model=Requested, summary="Stop the work on it; finished pages stay")
async def cancel(
    reader: ReaderDep, claims: ClaimsDep, producer: ProducerDep, key: Key, idempotency_key: IdempotencyKey = None
) -> Response:
    """Possible until it has ended; 409 afterwards."""
    return await _request(reader, claims, producer, key, CancelRequested, idempotency_key, check_cancel)


@router.delete(
    "", status_code=202, response_model=Deleted, summary="Erase it: the file, its text and all that was found"
)
async def delete(
    reader: ReaderDep,
    claims: ClaimsDep,
    resumable_uploads: ResumableUploadsDep,
    producer: ProducerDep,
    key: Key,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """From the moment of the fact on the document does not exist for anyone; erasing follows."""
    await reader.document(key)
    await claims.release(key.document_id)
    await resumable_uploads.forget_document(key.document_id)
    await producer.append(_fact(DocumentDeleted, key, idempotency_key))
    return Json({"document_id": key.document_id}, status_code=202)


def check_retry(view: dict[str, Any]) -> None:
    """Raise Problem("wrong_state") unless there is something to try again."""
    status = view["status"]
    if status not in ("failed", "cancelled") and not (status == "completed" and view["partial"]):
        hint = "It is complete" if status == "completed" else "Wait for its end, or cancel it first"
        raise Problem("wrong_state", document_status=status, asked="retried", hint=hint)


def check_cancel(view: dict[str, Any]) -> None:
    """Raise Problem("wrong_state") unless there is something to stop."""
    status = view["status"]
    if status in TERMINAL:
        raise Problem("wrong_state", document_status=status, asked="cancelled", hint="Nothing is running any more")


async def _request(
    reader: DocumentReader,
    claims: Claims,
    producer: Producer,
    key: DocumentKey,
    kind: type[RetryRequested] | type[CancelRequested],
    idempotency_key: str | None,
    check: Callable[[dict[str, Any]], None],
) -> Response:
    view = (await reader.document(key)).row["view"]
    name = f"{key.tenant}/{kind.__name__}/{key.document_id}/{idempotency_key}"
    if not (idempotency_key and await claims.is_known(name)):
        check(view)
        if idempotency_key:
            await claims.claim_request(name, key.document_id)
    await producer.append(_fact(kind, key, idempotency_key))
    return Json({"document_id": key.document_id, "status": view["status"]}, status_code=202)


def _fact(
    kind: type[RetryRequested] | type[CancelRequested] | type[DocumentDeleted], key: DocumentKey, name: str | None
) -> Fact:
    return kind.claim(
        document_id=key.document_id,
        claim=f"key/{name}" if name else f"once/{uuid.uuid4()}",
        tenant=key.tenant,
        at=utcnow(),
        producer="gateway",
    )
