"""Hand somebody the right to watch or to steer one document or batch: capability tokens over HTTP."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from services.gateway.answers import Json
from services.gateway.context import Asking, Parts, Tenant
from services.gateway.mongo import DocumentKey

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])

_HOUR: Final = 3_600
_YEAR: Final = 365 * 24 * _HOUR


class Wish(BaseModel):
    """What the token is to be good for."""

    model_config = ConfigDict(frozen=True)

    document_id: Annotated[str, Field(max_length=64)] | None = None
    batch: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    right: Literal["read", "control"] = "read"
    ttl: Annotated[int, Field(ge=1, le=_YEAR, description="Seconds.")] = _HOUR

    @model_validator(mode="after")
    def _one_thing(self) -> "Wish":
        if (self.document_id is None) == (self.batch is None):
            raise ValueError("it must name a document_id or a batch")
        return self


@router.post("", status_code=201, summary="A token for one document or batch: watch it, or also retry and cancel")
async def create(gateway: Parts, asking: Asking, tenant: Tenant, wish: Wish) -> Response:
    """`{"token", "expires_at", "id"}`; the token is shown this once. Erasing a document takes a key."""
    if wish.document_id is not None:
        await gateway.hub.document(DocumentKey(tenant, wish.document_id))
    ttl = timedelta(seconds=wish.ttl)
    token = await gateway.tokens.add(asking, wish.right, ttl, document_id=wish.document_id, batch=wish.batch)
    return Json({"token": token.secret, "expires_at": token.row["expires_at"], "id": token.id}, status_code=201)


@router.delete("/{token_id}", status_code=204, summary="Revoke a token, also while it is in use")
async def revoke(gateway: Parts, tenant: Tenant, token_id: str) -> Response:
    """Its open connections are closed within two seconds."""
    await gateway.tokens.revoke(tenant, token_id)
    return Response(status_code=204)
