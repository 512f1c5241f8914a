"""What the routes are given: the parts of one gateway, put together in `app.py`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.gateway.access import Doorkeeper
from services.gateway.callers import Caller, right_for
from services.gateway.claims import Claims
from services.gateway.embedder import Embedder
from services.gateway.feed import Feed
from services.gateway.hub import Hub
from services.gateway.keyring import Keyring
from services.gateway.limits import Holders, Limits, address_of
from services.gateway.metrics import Metrics
from services.gateway.mongo import DocumentKey, Projections, Status
from services.gateway.parts import ResumableUploads
from services.gateway.past import Past
from services.gateway.pictures import Pictures
from services.gateway.places import Places
from services.gateway.problems import Problem
from services.gateway.quotas import Quotas
from services.gateway.recent import Recent
from services.gateway.sockets import Sockets
from services.gateway.sse import Streams
from services.gateway.ticks import Ticks
from services.gateway.tokens import Tokens
from services.gateway.uploads import Uploads
from services.gateway.vectors import Vectors
from shared.blobs import Blobs
from shared.kafka import Log
from shared.standalone import is_job_id


@dataclass(frozen=True)
class Gateway:
    """One gateway's parts."""

    blobs: Blobs
    log: Log
    claims: Claims
    uploads: Uploads
    quotas: Quotas
    ticks: Ticks
    resumable: ResumableUploads
    projections: Projections
    status: Status
    metrics: Metrics
    embedder: Embedder
    vectors: Vectors
    pictures: Pictures
    past: Past
    hub: Hub
    feed: Feed
    readiness: Recent[dict[str, str]]
    sockets: Sockets
    streams: Streams
    doorkeeper: Doorkeeper
    keyring: Keyring
    tokens: Tokens
    limits: Limits
    searches: Places


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
