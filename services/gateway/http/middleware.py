"""Who may call: foreign pages and names are turned away first, then everybody is asked who they are.

Any page in a browser can reach a server on its own machine. So a request that a foreign page sends (cross-site forms
and sockets, or, while there are no keys, a name of its own that it lets resolve to this machine) is refused before
anything reads it.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.auth.authenticator import LOOK_EVERY, Authenticator
from services.gateway.auth.callers import secret_of
from services.gateway.auth.limits import Limits, address_of
from services.gateway.auth.origins import OriginPolicy, host_name, is_loopback, passed_on
from services.gateway.http.responses import RETRY_AFTER, problem_answer
from services.gateway.problems import Problem
from shared.runtime import tracing
from shared.storage.mongo import PyMongoError

# What everybody may see: signs of life, the page and the descriptions. Nothing in them belongs to anybody.
_OPEN: Final = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json", "/asyncapi.json"})
_OPEN_BELOW: Final = "/web/"
_METRICS: Final = "/metrics"


class OriginMiddleware:
    """The origin policy in front of every HTTP request."""

    def __init__(self, app: ASGIApp, origin_policy: OriginPolicy, authenticator: Authenticator) -> None:
        self._app = app
        self._origin_policy = origin_policy
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a foreign request with a problem, pass on every other."""
        headers = Headers(scope=scope)
        embeddable = _is_embeddable(scope)
        guarded = partial(_with_guards, send, embeddable=embeddable)
        try:
            self._origin_policy.check(headers, key_required=self._authenticator.required)
            if not embeddable:
                _check_site(scope["method"], headers)
        except Problem as problem:
            await problem_answer(problem)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)


def _is_embeddable(scope: Scope) -> bool:
    """Whether pages of others may load it without asking: our elements, and what a token in the address opens."""
    has_token = any(part.startswith(b"token=") for part in scope["query_string"].split(b"&"))
    return has_token or scope["path"].startswith(_OPEN_BELOW)


def _check_site(method: str, headers: Headers) -> None:
    """Raise Problem for what a page of another site loads without saying whose it is (an image, a form).

    Scripts that ask by CORS send their origin, which was checked; people may follow a link to here.
    """
    follows_a_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site") == "cross-site" and "origin" not in headers and not follows_a_link:
        raise Problem("foreign_origin", origin=headers.get("referer", "another site")[:200])


async def _with_guards(send: Send, message: Message, *, embeddable: bool) -> None:
    """Send on, with what keeps browsers from guessing a type and pages of others from embedding an answer."""
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin" if embeddable else "same-origin")
    await send(message)


class AuthenticationMiddleware:
    """Refuses requests without a valid key or token; routes find the caller in the request's state."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, limits: Limits, *, metrics_need_key: bool) -> None:
        self._app = app
        self._authenticator = authenticator
        self._limits = limits
        self._metrics_need_key = metrics_need_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or pass the request on with its caller."""
        if self._is_open(scope):
            await self._app(scope, receive, send)
            return
        secret: str | None = None
        address = address_of(scope["client"][0]) if scope.get("client") else ""
        clock = asyncio.get_running_loop().time
        try:
            self._limits.ask((address,), clock())  # also of who guesses keys
            secret = secret_of(Headers(scope=scope).get("authorization"), scope["query_string"].decode("latin-1"))
            caller = await self._authenticator.caller(secret)
            scope.setdefault("state", {})["caller"] = caller
            self._limits.ask((caller.name,), clock())
        except (Problem, PyMongoError) as error:
            await problem_answer(_as_problem(error))(scope, receive, send)
        else:
            await self._app(scope, receive, _AuthenticatedSend(self._authenticator, secret, scope, receive, send))

    def _is_open(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path == _METRICS and not self._metrics_need_key:
            return _is_local(scope)
        return path in _OPEN or path.startswith(_OPEN_BELOW)


def _is_local(scope: Scope) -> bool:
    """Whether a program of this machine asks for itself: no proxy, and no page by a name that resolves to here."""
    headers, client = Headers(scope=scope), scope.get("client")
    names = (client[0] if client else "", host_name(headers.get("host", "")))
    return all(map(is_loopback, names)) and not any(passed_on(headers))


class _AuthenticatedSend:
    """Sends the answer; for one that took long (a long poll) the caller's right is checked once more."""

    def __init__(
        self, authenticator: Authenticator, secret: str | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._authenticator = authenticator
        self._secret = secret
        self._scope, self._receive, self._send = scope, receive, send
        self._began = asyncio.get_running_loop().time()
        self._refused = False

    async def __call__(self, message: Message) -> None:
        """Send on, or send a refusal in place of everything."""
        late = asyncio.get_running_loop().time() - self._began > LOOK_EVERY
        if message["type"] == "http.response.start" and late:
            try:
                await self._authenticator.caller(self._secret)
            except (Problem, PyMongoError) as error:
                self._refused = True
                await problem_answer(_as_problem(error))(self._scope, self._receive, self._send)
        if not self._refused:
            await self._send(message)


def _as_problem(error: Problem | PyMongoError) -> Problem:
    return error if isinstance(error, Problem) else Problem("database_unavailable", retry_after=RETRY_AFTER)


class TracingMiddleware:
    """Stands before everything that logs or appends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, within its trace."""
        tracing.begin(Headers(scope=scope).get(tracing.HEADER))

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[tracing.HEADER] = tracing.current() or ""
            await send(message)

        await self._app(scope, receive, naming)


class MetricsMiddleware:
    """Times every HTTP request, by the route's template and never by the path: paths hold ids."""

    def __init__(self, app: ASGIApp, observe: Callable[[str, str, int, float], None]) -> None:
        """`observe(method, route, status, seconds)` is called once for each request."""
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        status = 500
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._observe(scope["method"], route, status, time.perf_counter() - began)
