"""The OpenAPI document: what FastAPI knows of the routes, with what it cannot know of refusals and uploads."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

Schema = dict[str, Any]

_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457), a stable `code`, and what to do about it.",
    "required": ["type", "title", "status", "detail", "code", "action"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:pagestream:problem:document.not_found"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "examples": ["document.not_found"]},
        "action": {"type": "string"},
    },
}
_REFUSED: Final[Schema] = {
    "description": "Refused, or something is away",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_UPLOAD: Final[Schema] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}


def operation_id(route: APIRoute) -> str:
    """The name of a call in generated clients, such as `documents_upload`."""
    return "_".join([*map(str, route.tags), route.name]).replace(" ", "_")


def describe(app: FastAPI) -> Schema:
    """The document; computed once and kept where FastAPI keeps its own."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):  # we answer with problems
            schemas.pop(unused, None)
        schemas["Problem"] = _PROBLEM
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = _REFUSED
        schema["paths"]["/v1/documents"]["post"]["requestBody"] = _UPLOAD
        app.openapi_schema = schema
    return app.openapi_schema
