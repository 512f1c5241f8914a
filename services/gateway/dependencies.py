"""Dependencies: the components of a gateway, each as a type that a route can ask for, and who asks for what."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from services.gateway.auth.authenticator import Authenticator
from services.gateway.auth.callers import Caller, right_for
from services.gateway.auth.limits import Holders, Limits, address_of
from services.gateway.auth.origins import OriginPolicy
from services.gateway.auth.tokens import Tokens
from services.gateway.concurrency.fair_slots import FairSlots
from services.gateway.concurrency.short_cache import ShortCache
from services.gateway.live.document_reader import DocumentReader
from services.gateway.live.hub import Hub
from services.gateway.live.sse import EventStreams
from services.gateway.live.tick_throttle import TickThrottle
from services.gateway.live.update_dispatcher import UpdateDispatcher
from services.gateway.live.updates_consumer import UpdatesConsumer
from services.gateway.live.websocket import WebSockets
from services.gateway.metrics import Metrics
from services.gateway.problems import Problem
from services.gateway.queries.page_images import PageImages
from services.gateway.queries.projections import Projections
from services.gateway.queries.service_status import ServiceStatus
from services.gateway.queries.time_travel import TimeTravel
from services.gateway.search.searcher import Searcher
from services.gateway.targets import DocumentKey
from services.gateway.uploads.ingest import Uploads
from services.gateway.uploads.quotas import Quotas
from services.gateway.uploads.resumable import ResumableUploads
from shared.events.standalone_job import is_job_id
from shared.kafka.producer import Producer
from shared.storage.blobs import Blobs
from shared.storage.upload_claims import Claims


@dataclass(frozen=True)
class Gateway:
    """The components of one gateway, composed in `app.connect`. Routes get single ones, by the aliases below."""

    blobs: Blobs
    producer: Producer
    claims: Claims
    uploads: Uploads
    quotas: Quotas
    tick_throttle: TickThrottle
    resumable_uploads: ResumableUploads
    projections: Projections
    service_status: ServiceStatus
    metrics: Metrics
    searcher: Searcher
    page_images: PageImages
    time_travel: TimeTravel
    reader: DocumentReader
    hub: Hub
    dispatcher: UpdateDispatcher
    updates: UpdatesConsumer
    readiness: ShortCache[dict[str, str]]
    websockets: WebSockets
    event_streams: EventStreams
    origin_policy: OriginPolicy
    authenticator: Authenticator
    tokens: Tokens
    limits: Limits
    search_slots: FairSlots


def _component(get: Callable[[Gateway], object]) -> Any:
    """A dependency that is one component. A coroutine, since FastAPI runs plain functions in a thread."""

    async def component(request: Request) -> object:
        return get(request.app.state.gateway)

    return Depends(component)


BlobsDep = Annotated[Blobs, _component(lambda gateway: gateway.blobs)]
ProducerDep = Annotated[Producer, _component(lambda gateway: gateway.producer)]
ClaimsDep = Annotated[Claims, _component(lambda gateway: gateway.claims)]
UploadsDep = Annotated[Uploads, _component(lambda gateway: gateway.uploads)]
QuotasDep = Annotated[Quotas, _component(lambda gateway: gateway.quotas)]
TickThrottleDep = Annotated[TickThrottle, _component(lambda gateway: gateway.tick_throttle)]
ResumableUploadsDep = Annotated[ResumableUploads, _component(lambda gateway: gateway.resumable_uploads)]
ProjectionsDep = Annotated[Projections, _component(lambda gateway: gateway.projections)]
ServiceStatusDep = Annotated[ServiceStatus, _component(lambda gateway: gateway.service_status)]
MetricsDep = Annotated[Metrics, _component(lambda gateway: gateway.metrics)]
SearcherDep = Annotated[Searcher, _component(lambda gateway: gateway.searcher)]
PageImagesDep = Annotated[PageImages, _component(lambda gateway: gateway.page_images)]
TimeTravelDep = Annotated[TimeTravel, _component(lambda gateway: gateway.time_travel)]
HubDep = Annotated[Hub, _component(lambda gateway: gateway.hub)]
ReaderDep = Annotated[DocumentReader, _component(lambda gateway: gateway.reader)]
UpdatesConsumerDep = Annotated[UpdatesConsumer, _component(lambda gateway: gateway.updates)]
ReadinessDep = Annotated[ShortCache[dict[str, str]], _component(lambda gateway: gateway.readiness)]
WebSocketsDep = Annotated[WebSockets, _component(lambda gateway: gateway.websockets)]
EventStreamsDep = Annotated[EventStreams, _component(lambda gateway: gateway.event_streams)]
AuthenticatorDep = Annotated[Authenticator, _component(lambda gateway: gateway.authenticator)]
TokensDep = Annotated[Tokens, _component(lambda gateway: gateway.tokens)]
LimitsDep = Annotated[Limits, _component(lambda gateway: gateway.limits)]
FairSlotsDep = Annotated[FairSlots, _component(lambda gateway: gateway.search_slots)]


def caller_of(request: Request) -> Caller:
    """Whose request it is, as `AuthenticationMiddleware` found out."""
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


async def key_of(document_id: str, caller: Asking, reader: ReaderDep, request: Request) -> DocumentKey:
    """The document that a path names. Raises Problem("not_allowed") for a token that does not cover the call."""
    caller.require(right_for(request.method), document_id)
    if is_job_id(document_id):
        raise Problem("document.not_found")
    key = DocumentKey(caller.tenant, document_id)
    if caller.batch is not None:
        caller.require_member((await reader.document(key)).row["view"])
    return key


def job_key_of(job_id: str, tenant: Annotated[str, Depends(tenant_of)]) -> DocumentKey:
    """The standalone job that a path names. Raises Problem for what cannot be one, and for tokens."""
    if not is_job_id(job_id):
        raise Problem("job.not_found")
    return DocumentKey(tenant, job_id)


Holding = Annotated[Holders, Depends(holders_of)]
Tenant = Annotated[str, Depends(tenant_of)]
Key = Annotated[DocumentKey, Depends(key_of)]
JobKey = Annotated[DocumentKey, Depends(job_key_of)]
