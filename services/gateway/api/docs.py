"""`/asyncapi.json`: the description of the socket. FastAPI itself serves `/openapi.json`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.gateway.api import asyncapi
from services.gateway.http.responses import Json

router = APIRouter(include_in_schema=False)


@router.get("/asyncapi.json")
async def socket(request: Request) -> Response:
    """The AsyncAPI document of the socket."""
    return Json(asyncapi.document(request.app.version))
