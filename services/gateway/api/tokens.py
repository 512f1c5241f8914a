"""Capability tokens over HTTP: the right to watch or to steer one document or batch, to be handed on."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from services.gateway.api.schemas import Scope, TokenCreated, TokenList
from services.gateway.auth.callers import Caller
from services.gateway.dependencies import Asking, AuthenticatorDep, QuotasDep, ReaderDep, Tenant, TokensDep
from services.gateway.http.body_limit import SmallBody
from services.gateway.http.responses import Json
from services.gateway.queries import cursors
from services.gateway.targets import DocumentKey
from shared.storage.mongo import Row

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], route_class=SmallBody)

_HOUR: Final = 3_600
_YEAR: Final = 365 * 24 * _HOUR


class TokenRequest(BaseModel):
    """What the token is to be good for."""

    model_config = ConfigDict(frozen=True)

    document_id: Annotated[str, Field(max_length=64)] | None = None
    batch: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    right: Literal["read", "control"] = "read"
    ttl: Annotated[int, Field(ge=1, le=_YEAR, description="Seconds.")] = _HOUR

    @model_validator(mode="after")
    def _one_thing(self) -> "TokenRequest":
        if (self.document_id is None) == (self.batch is None):
            raise ValueError("it must name a document_id or a batch")
        return self


@router.post(
    "",
    status_code=201,
    response_model=TokenCreated,
    summary="A token for one document or batch: watch it, or also retry and cancel",
)
async def create(
    reader: ReaderDep, quotas: QuotasDep, tokens: TokensDep, asking: Asking, tenant: Tenant, wish: TokenRequest
) -> Response:
    """`{"token", "expires_at", "id"}`; the token is shown this once. Erasing a document takes a key."""
    if wish.document_id is not None:
        await reader.document(DocumentKey(tenant, wish.document_id))
    await quotas.hold_rows(tenant, "tokens", tokens.count)
    ttl = timedelta(seconds=wish.ttl)
    token = await tokens.add(asking, wish.right, ttl, document_id=wish.document_id, batch=wish.batch)
    return Json({"token": token.secret, "expires_at": token.row["expires_at"], "id": token.id}, status_code=201)


@router.get("", response_model=TokenList, summary="The tokens that are good now, those that end first at first")
async def tokens(
    authenticator: AuthenticatorDep,
    tenant: Tenant,
    document_id: Annotated[str | None, Query(max_length=64)] = None,
    batch: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
) -> Response:
    """`{"tokens": [{"id", "right", "document_id", "batch", "expires_at"}], "next_cursor"}`; the secret is not told."""
    after = cursors.read_after(cursor)
    named = {"document_id": document_id, "batch": batch}
    holders = await authenticator.holders({"tenant": tenant, **{k: v for k, v in named.items() if v is not None}})
    rows = sorted(({"_id": one.id_of("token"), **_scope(one)} for one in holders), key=_order)
    left = [row for row in rows if after is None or _order(row) > after]
    shown, more = cursors.cut(left, limit, by="expires_at")
    listed = [{"id": row["_id"], **{k: v for k, v in row.items() if k != "_id"}} for row in shown]
    return Json({"tokens": listed, "next_cursor": more})


@router.get("/current", response_model=Scope, summary="What the key or token of this request may do")
async def current(asking: Asking) -> Response:
    """`{"right": "read", "control" or "all", "document_id", "batch", "expires_at"}`; a key's is `all` of its tenant."""
    return Json(_scope(asking))


@router.delete("/{token_id}", status_code=204, summary="Revoke a token, also while it is in use")
async def revoke(tokens: TokensDep, tenant: Tenant, token_id: str) -> Response:
    """Its open connections are closed within two seconds."""
    await tokens.revoke(tenant, token_id)
    return Response(status_code=204)


def _scope(caller: Caller) -> Row:
    names = ("right", "document_id", "batch", "expires_at")
    return {name: getattr(caller, name) for name in names}


def _order(row: Row) -> cursors.After:
    return cursors.After(row["expires_at"], row["_id"])
