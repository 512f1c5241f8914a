"""`/docs`: the calls and what they take, rendered here: it needs no script and no other host."""

from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from services.gateway.api import asyncapi
from services.gateway.http.responses import Json
from services.gateway.http.static import HEADERS

router = APIRouter(include_in_schema=False)

_STYLE: Final = "/web/style.css"


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The OpenAPI document for people."""
    return HTMLResponse(render(request.app.openapi()), headers=HEADERS)


@router.get("/asyncapi.json")
async def socket(request: Request) -> Response:
    """The AsyncAPI document of the socket, for machines."""
    return Json(asyncapi.document(request.app.version))


def render(schema: dict[str, Any]) -> str:
    """The page for an OpenAPI schema."""
    calls = "".join(
        _call(method, path, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    title = escape(schema["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: the calls</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="{_STYLE}"></head><body><main>'
        f"<h1>{title}</h1><p>{escape(schema['info']['description'])}</p>"
        '<p>For machines: <a href="/openapi.json">openapi.json</a>, and of the socket '
        f'<a href="/asyncapi.json">asyncapi.json</a></p>{calls}</main></body></html>'
    )


def _call(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(_parameter(one) for one in operation.get("parameters", ()))
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}</p>"
        f"<p>{escape(operation.get('description', ''))}</p>{f'<ul>{parameters}</ul>' if parameters else ''}</section>"
    )


def _parameter(one: dict[str, Any]) -> str:
    place = f"{one['in']}, required" if one.get("required") else one["in"]
    said = escape(one.get("description") or one.get("schema", {}).get("description", ""))
    return f"<li><code>{escape(one['name'])}</code> ({place}) {said}</li>"
