"""Answers in JSON, and every failure as a problem document."""

import uuid
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from services.gateway.http.body_limit import MAX_BYTES
from services.gateway.problems import Problem
from shared.errors import PagestreamError, Transient
from shared.kafka.producer import Unconfirmed
from shared.runtime import logs
from shared.storage.mongo import PyMongoError

log = logs.get(__name__)

RETRY_AFTER = 2  # seconds, when something of ours is away


class Json(Response):
    """A JSON body; datetimes become ISO 8601."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)


class Encoded(Response):
    """A body that is JSON already."""

    media_type = "application/json"


class ProblemAnswer(Json):
    """A problem document (RFC 9457)."""

    media_type = "application/problem+json"


EXPECTED: Final = (
    Problem,
    PagestreamError,
    Unconfirmed,
    PyMongoError,
    RequestValidationError,
    HTTPException,
    ClientDisconnect,
)


def problem_answer(problem: Problem) -> ProblemAnswer:
    """The answer to a refused request."""
    return ProblemAnswer(problem.body(), status_code=problem.status, headers=problem.headers)


def install(app: FastAPI) -> None:
    """Let `app` answer every failure with a problem document."""
    for kind in EXPECTED:
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(Exception, _bug)


async def _answer(request: Request, error: Exception) -> Response:
    return problem_answer(as_problem(error, request))


async def _bug(request: Request, error: Exception) -> Response:
    reference = uuid.uuid4().hex[:12]
    log.error("a request failed", reference=reference, path=request.url.path, exc_info=error)
    return problem_answer(Problem("internal", reference=reference))


def as_problem(error: Exception, request: Request) -> Problem:
    """What an expected failure means to the caller."""
    match error:
        case Problem():
            return error
        case PagestreamError(code=code, facts=facts):
            return Problem(code, retry_after=RETRY_AFTER if isinstance(error, Transient) else None, **facts)
        case Unconfirmed():
            return Problem("broker_unavailable", retry_after=RETRY_AFTER)
        case PyMongoError():
            return Problem("database_unavailable", retry_after=RETRY_AFTER)
        case RequestValidationError():
            first = error.errors()[0]
            return Problem("bad_request", detail=f"{first['loc'][-1]}: {first['msg']}")
        case ClientDisconnect():
            return Problem("bad_request", detail="The upload broke off")
        case HTTPException(status_code=405):
            return Problem("method_not_allowed", method=request.method)
        case HTTPException(status_code=413):
            return Problem("body_too_large", limit=f"{MAX_BYTES:,}")
        case HTTPException(status_code=404):
            return Problem("not_found", path=request.url.path)
        case _:
            return Problem("bad_request", detail=str(error))
