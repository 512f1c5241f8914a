"""What the routes are given: the parts of one gateway, put together in `app.py`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.gateway.auth.authenticator import Authenticator
from services.gateway.auth.callers import Caller, right_for
from services.gateway.auth.limits import Holders, Limits, address_of
from services.gateway.auth.origins import OriginPolicy
from services.gateway.auth.tokens import Tokens
from services.gateway.concurrency.fair_slots import FairSlots
from services.gateway.concurrency.short_cache import ShortCache
from services.gateway.live.hub import Hub
from services.gateway.live.sse import EventStreams
from services.gateway.live.tick_throttle import TickThrottle
from services.gateway.live.updates_consumer import UpdatesConsumer
from services.gateway.live.websocket import WebSockets
from services.gateway.metrics import Metrics
from services.gateway.problems import Problem
from services.gateway.queries.page_images import PageImages
from services.gateway.queries.projections import Projections
from services.gateway.queries.service_status import ServiceStatus
from services.gateway.queries.time_travel import TimeTravel
from services.gateway.search.query_embedder import QueryEmbedder
from services.gateway.search.vector_index import VectorIndex
from services.gateway.targets import DocumentKey
from services.gateway.uploads.deduplication import Claims
from services.gateway.uploads.ingest import Uploads
from services.gateway.uploads.quotas import Quotas
from services.gateway.uploads.resumable import ResumableUploads
from shared.events.standalone_job import is_job_id
from shared.kafka.producer import Producer
from shared.storage.blobs import Blobs


@dataclass(frozen=True)
class Gateway:
    """One gateway's parts."""

    blobs: Blobs
    producer: Producer
    claims: Claims
    uploads: Uploads
    quotas: Quotas
    ticks: TickThrottle
    resumable: ResumableUploads
    projections: Projections
    status: ServiceStatus
    metrics: Metrics
    embedder: QueryEmbedder
    vectors: VectorIndex
    pictures: PageImages
    past: TimeTravel
    hub: Hub
    feed: UpdatesConsumer
    readiness: ShortCache[dict[str, str]]
    sockets: WebSockets
    streams: EventStreams
    origin_policy: OriginPolicy
    authenticator: Authenticator
    tokens: Tokens
    limits: Limits
    searches: FairSlots


def of(request: Request) -> Gateway:
    """The gateway that answers this request."""
    gateway: Gateway = request.app.state.gateway
    return gateway


def caller_of(request: Request) -> Caller:
    """Whose request it is, as `access.SignIn` found out."""
    caller: Caller = request.state.caller
    return caller


Asking = Annotated[Caller, Depends(caller_of)]


def holders_of(caller: Asking, request: Request) -> Holders:
    """The names under which a request counts for the limits."""
    return (caller.name, address_of(request.client.host) if request.client else "")


def tenant_of(caller: Asking) -> str:
    """The tenant, all of whose documents a call is about. Raises Problem("not_allowed") for a token."""
    caller.require_all()
    return caller.tenant


async def key_of(document_id: str, caller: Asking, request: Request) -> DocumentKey:
    """The document that a path names. Raises Problem("not_allowed") for a token that does not cover the call."""
    caller.require(right_for(request.method), document_id)
    if is_job_id(document_id):
        raise Problem("document.not_found")
    key = DocumentKey(caller.tenant, document_id)
    if caller.batch is not None:
        caller.require_member((await of(request).hub.document(key)).row["view"])
    return key


def job_key_of(job_id: str, tenant: Annotated[str, Depends(tenant_of)]) -> DocumentKey:
    """The standalone job that a path names. Raises Problem for what cannot be one, and for tokens."""
    if not is_job_id(job_id):
        raise Problem("job.not_found")
    return DocumentKey(tenant, job_id)


Holding = Annotated[Holders, Depends(holders_of)]
Parts = Annotated[Gateway, Depends(of)]
Tenant = Annotated[str, Depends(tenant_of)]
Key = Annotated[DocumentKey, Depends(key_of)]
JobKey = Annotated[DocumentKey, Depends(job_key_of)]
