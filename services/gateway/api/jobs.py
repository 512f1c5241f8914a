"""Standalone jobs: any other long-running work tells here how far it is, and is watched like a document."""

import hashlib
import uuid
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.gateway.api.documents import MAX_LISTED, IdempotencyKey, Since, Wait, viewed
from services.gateway.api.schemas import JobList, JobReported, JobStatus, JobView, Started
from services.gateway.dependencies import (
    BlobsDep,
    HubDep,
    JobKey,
    LimitsDep,
    ProducerDep,
    ProjectionsDep,
    QuotasDep,
    ReaderDep,
    Tenant,
    TickThrottleDep,
)
from services.gateway.http.body_limit import SmallBody
from services.gateway.http.responses import Json
from services.gateway.live.document_reader import DocumentReader
from services.gateway.problems import Problem
from services.gateway.queries import cursors
from services.gateway.queries.projections import JOBS, Found, ListFilter
from services.gateway.targets import DocumentKey
from shared.document.state import ALMOST
from shared.events.document import utcnow
from shared.events.standalone_job import (
    ENDED,
    NAME,
    JobCompleted,
    JobFailed,
    JobProgress,
    JobStarted,
    OfJob,
    job_id_of,
)
from shared.kafka.producer import Producer
from shared.storage import blob_names
from shared.storage.blobs import BlobMissing, Blobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=SmallBody)

_PRODUCER: Final = "gateway"


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Start(_Body):
    """A new job. `type` is a word for programs, `title` a text for people."""

    title: str = Field(min_length=1, max_length=300)
    type: str = Field(default="job", pattern=NAME)
    silent_after: float | None = Field(
        default=None, ge=1, le=86_400, description="Seconds without a report after which it is shown as stalled."
    )


class Report(_Body):
    """How far it is; an empty one is a sign of life. The percent never falls, and 100 is said by `complete` alone."""

    percent: float | None = Field(default=None, ge=0, le=100)
    message: str | None = Field(default=None, min_length=1, max_length=300)


class Failed(_Body):
    """Why it failed, and what a person can do."""

    code: str = Field(default="failed", pattern=NAME)
    message: str = Field(min_length=1, max_length=1_000)
    action: str = Field(default="", max_length=1_000)


@router.post("", status_code=201, response_model=Started, summary="Start a job that another program works on")
async def start(
    quotas: QuotasDep,
    projections: ProjectionsDep,
    producer: ProducerDep,
    blobs: BlobsDep,
    tenant: Tenant,
    body: Start,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """201 with its `job_id` once the fact is in the log; the same for the same Idempotency-Key and body."""
    key = DocumentKey(tenant, job_id_of(tenant, idempotency_key) if idempotency_key else f"job-{uuid.uuid4()}")
    fact = JobStarted.claim(
        job_id=key.document_id, claim="1", kind=body.type, silent_after=body.silent_after, worded=True, **_about(tenant)
    )
    await quotas.hold_rows(tenant, "jobs", projections.open_jobs)
    await _write_words(blobs, fact, body.model_dump())
    await producer.append(fact)
    here = f"/v1/jobs/{key.document_id}"
    links = {"self": here, **{name: f"{here}/{name}" for name in ("live", "progress", "complete", "fail")}}
    return Json({"job_id": key.document_id, "links": links}, status_code=201, headers={"Location": here})


@router.post("/{job_id}/progress", status_code=202, response_model=JobReported, summary="Say how far it is")
async def progress(reader: ReaderDep, tick_throttle: TickThrottleDep, key: JobKey, body: Report) -> Response:
    """Reports in quick succession are merged; 409 once the job has ended."""
    found = await reader.document(key)
    _require_open(found)
    said = {"code": "job.said", "params": {"text": body.message}} if body.message else {}
    tick = {"job_id": key.document_id, "tenant": key.tenant, "percent": body.percent, "at": utcnow(), **said}
    tick_throttle.say(JobProgress.model_validate(tick))
    return _accepted(key)


@router.post("/{job_id}/complete", status_code=202, response_model=JobReported, summary="It is done")
async def complete(reader: ReaderDep, producer: ProducerDep, blobs: BlobsDep, key: JobKey) -> Response:
    """Said again it changes nothing; 409 after it has failed."""
    return await _end(
        reader, producer, blobs, key, JobCompleted.claim(job_id=key.document_id, claim="1", **_about(key.tenant))
    )


@router.post("/{job_id}/fail", status_code=202, response_model=JobReported, summary="It ended without success")
async def fail(reader: ReaderDep, producer: ProducerDep, blobs: BlobsDep, key: JobKey, body: Failed) -> Response:
    """The same said again changes nothing; 409 after it has ended in another way."""
    view = (await reader.document(key)).row["view"]
    fact = JobFailed.claim(
        job_id=key.document_id,
        claim=hashlib.sha256(body.model_dump_json().encode()).hexdigest(),
        code=body.code,
        percent=min(view["percent"], ALMOST),
        worded=True,
        **_about(key.tenant),
    )
    return await _end(reader, producer, blobs, key, fact, {"message": body.message, "action": body.action})


@router.get("", response_model=JobList, summary="List jobs, newest first")
async def list_jobs(
    projections: ProjectionsDep,
    tenant: Tenant,
    status: JobStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 50,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
) -> Response:
    """`{"jobs": [view, …], "next_cursor": … or null}`."""
    after = cursors.read_after(cursor)
    _, rows = await projections.newest(ListFilter(tenant, status), limit=limit + 1, after=after, of=JOBS)
    shown, more = cursors.cut(rows, limit, by=JOBS.at)
    return Json({"jobs": [row["view"] for row in shown], "next_cursor": more})


@router.get("/{job_id}", response_model=JobView, summary="The job view")
async def view(
    hub: HubDep, limits: LimitsDep, key: JobKey, request: Request, wait: Wait = 0, since: Since = None
) -> Response:
    """The view; with `wait` and `since` (`epoch:version`) once there is something newer."""
    return await viewed(hub, limits, key, request, wait, since)


async def _end(
    reader: DocumentReader,
    producer: Producer,
    blobs: Blobs,
    key: DocumentKey,
    fact: OfJob,
    words: dict[str, str] | None = None,
) -> Response:
    found = await reader.document(key)
    if found.row["settled"]["last_event"] != fact.event_id:  # else it is said already
        _require_open(found)
        if words is not None:
            await _write_words(blobs, fact, words)
        await producer.append(fact)
    return _accepted(key)


async def _write_words(blobs: Blobs, fact: OfJob, words: dict[str, Any]) -> None:
    """Put what people wrote beside the fact. Raises Problem where another text stands there already."""
    name = blob_names.words(fact.tenant, fact.key, fact.event_id)
    try:
        known = await blobs.get_result(name)
    except BlobMissing:
        await blobs.put_result(name, words)
    else:
        if known != orjson.loads(orjson.dumps(words)):
            raise Problem("idempotency_key_reused")


def _require_open(found: Found) -> None:
    """Raise Problem("job_ended") for a job that has ended."""
    if found.row["settled"]["status"] in ENDED:
        raise Problem("job_ended", job_status=found.row["settled"]["status"])


def _about(tenant: str) -> dict[str, Any]:
    return {"tenant": tenant, "at": utcnow(), "producer": _PRODUCER}


def _accepted(key: DocumentKey) -> Response:
    return Json({"job_id": key.document_id}, status_code=202)
