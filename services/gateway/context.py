"""What the routes are given: the parts of one gateway, put together in `app.py`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.gateway.access import TENANT, Doorkeeper
from services.gateway.claims import Claims
from services.gateway.feed import Feed
from services.gateway.hub import Hub
from services.gateway.mongo import DocumentKey, Projections, Status
from services.gateway.parts import ResumableUploads
from services.gateway.sockets import Sockets
from services.gateway.sse import Streams
from services.gateway.uploads import Uploads
from shared.blobs import Blobs
from shared.kafka import Log


@dataclass(frozen=True)
class Gateway:
    """One gateway's parts."""

    blobs: Blobs
    log: Log
    claims: Claims
    uploads: Uploads
    resumable: ResumableUploads
    projections: Projections
    status: Status
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
    """The document that a path names."""
    return DocumentKey(tenant, document_id)


Parts = Annotated[Gateway, Depends(of)]
Tenant = Annotated[str, Depends(tenant_of)]
Key = Annotated[DocumentKey, Depends(key_of)]
