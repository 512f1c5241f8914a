"""What the routes are given: the parts of one gateway, put together in `app.py`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.gateway.access import TENANT, Doorkeeper
from services.gateway.claims import Claims
from services.gateway.embedder import Embedder
from services.gateway.feed import Feed
from services.gateway.hub import Hub
from services.gateway.metrics import Metrics
from services.gateway.mongo import DocumentKey, Projections, Status
from services.gateway.problems import Problem
from services.gateway.sockets import Sockets
from services.gateway.sse import Streams
from services.gateway.ticks import Ticks
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
    ticks: Ticks
    projections: Projections
    status: Status
    metrics: Metrics
    embedder: Embedder
    vectors: Vectors
    hub: Hub
    feed: Feed
    sockets: Sockets
    streams: Streams
    doorkeeper: Doorkeeper


def of(request: Request) -> Gateway:
    """The gateway that answers this request."""
    gateway: Gateway = request.app.state.gateway
    return gateway


def tenant_of(request: Request) -> str:
    """Whose request it is."""
    return TENANT


def key_of(document_id: str, tenant: Annotated[str, Depends(tenant_of)]) -> DocumentKey:
    """The document that a path names. Raises Problem for what cannot be one."""
    if is_job_id(document_id):
        raise Problem("document.not_found")
    return DocumentKey(tenant, document_id)


def job_key_of(job_id: str, tenant: Annotated[str, Depends(tenant_of)]) -> DocumentKey:
    """The standalone job that a path names. Raises Problem for what cannot be one."""
    if not is_job_id(job_id):
        raise Problem("job.not_found")
    return DocumentKey(tenant, job_id)


Parts = Annotated[Gateway, Depends(of)]
Tenant = Annotated[str, Depends(tenant_of)]
Key = Annotated[DocumentKey, Depends(key_of)]
JobKey = Annotated[DocumentKey, Depends(job_key_of)]
