"""Who may call: foreign pages and names are turned away first, then everybody is asked who they are.

Any page in a browser can reach a server on its own machine. So a request that a foreign page sends (cross-site forms
and sockets, or, while there are no keys, a name of its own that it lets resolve to this machine) is refused before
anything reads it.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.answers import RETRY_AFTER, problem_answer
from services.gateway.callers import secret_of
from services.gateway.keyring import LOOK_EVERY, Keyring
from services.gateway.limits import Limits, address_of
from services.gateway.problems import Problem
from services.gateway.settings import is_loopback
from shared.mongo import PyMongoError

# What everybody may see: signs of life, the page and the descriptions. Nothing in them belongs to anybody.
_OPEN: Final = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json", "/asyncapi.json"})
_OPEN_BELOW: Final = "/web/"
_METRICS: Final = "/metrics"
# What a proxy adds to a request that it passes on.
_OF_PROXIES: Final = frozenset({"forwarded", "via", "x-real-ip"})
_OF_PROXIES_TOO: Final = "x-forwarded-"


class Doorkeeper:
    """Knows the origins that may call: our own, and those that the operator lists."""

    def __init__(self, origins: Sequence[str], *, trust_network: bool = False) -> None:
        """`trust_network`: the operator has said that something else keeps strangers out."""
        self._origins = frozenset(origins)
        self._trust_network = trust_network
        self._hosts = frozenset(urlsplit(origin).netloc for origin in origins)

    def check_host(self, host: str) -> None:
        """Raise Problem unless `host` (name[:port]) is a name of this machine or of a listed origin."""
        if not is_loopback(_name_in(host)) and host not in self._hosts:
            raise Problem("foreign_host", host=host)

    def check_origin(self, origin: str | None, host: str) -> None:
        """Raise Problem for a page of another origin; programs send none."""
        if origin is None or origin in self._origins:
            return
        scheme, _, place = origin.partition("://")
        if scheme not in ("http", "https") or place != host:
            raise Problem("foreign_origin", origin=origin)

    def check_way(self, names: Iterable[str]) -> None:
        """Raise Problem where the names of the headers say that a proxy passes on what others ask.

        It has an address of this machine, so without keys everybody whom it serves could do everything.
        """
        if not self._trust_network and (name := next(passed_on(names), None)):
            raise Problem("behind_proxy", header=name)

    def check(self, headers: Mapping[str, str], keyring: Keyring) -> None:
        """Raise Problem for a foreign page, name or way. Where a key is needed, a name alone opens nothing."""
        host = headers.get("host", "")
        if not keyring.required:
            self.check_host(host)
            self.check_way(headers)
        self.check_origin(headers.get("origin"), host)


def passed_on(names: Iterable[str]) -> Iterator[str]:
    """Those of the headers' names (in lower case) that proxies add."""
    return (name for name in names if name in _OF_PROXIES or name.startswith(_OF_PROXIES_TOO))


def _name_in(host: str) -> str:
    """The name in `name[:port]`, empty where there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not close
        return ""


class Guard:
    """The doorkeeper in front of every HTTP request."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper, keyring: Keyring) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a foreign request with a problem, pass on every other."""
        headers = Headers(scope=scope)
        embeddable = _is_embeddable(scope)
        guarded = partial(_with_guards, send, embeddable=embeddable)
        try:
            self._doorkeeper.check(headers, self._keyring)
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


class SignIn:
    """Lets nobody in who cannot say who they are; the routes find the caller in the request's state."""

    def __init__(self, app: ASGIApp, keyring: Keyring, limits: Limits, *, metrics_need_key: bool) -> None:
        self._app = app
        self._keyring = keyring
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
            caller = await self._keyring.caller(secret)
            scope.setdefault("state", {})["caller"] = caller
            self._limits.ask((caller.name,), clock())
        except (Problem, PyMongoError) as error:
            await problem_answer(_as_problem(error))(scope, receive, send)
        else:
            await self._app(scope, receive, _Answering(self._keyring, secret, scope, receive, send))

    def _is_open(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path == _METRICS and not self._metrics_need_key:
            return _is_local(scope)
        return path in _OPEN or path.startswith(_OPEN_BELOW)


def _is_local(scope: Scope) -> bool:
    """Whether a program of this machine asks for itself: no proxy, and no page by a name that resolves to here."""
    headers, client = Headers(scope=scope), scope.get("client")
    names = (client[0] if client else "", _name_in(headers.get("host", "")))
    return all(map(is_loopback, names)) and not any(passed_on(headers))


class _Answering:
    """The way of an answer: one that took long (somebody waited for news) asks once more who gets it."""

    def __init__(self, keyring: Keyring, secret: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        self._keyring = keyring
        self._secret = secret
        self._scope, self._receive, self._send = scope, receive, send
        self._began = asyncio.get_running_loop().time()
        self._refused = False

    async def __call__(self, message: Message) -> None:
        """Send on, or send a refusal in place of everything."""
        late = asyncio.get_running_loop().time() - self._began > LOOK_EVERY
        if message["type"] == "http.response.start" and late:
            try:
                await self._keyring.caller(self._secret)
            except (Problem, PyMongoError) as error:
                self._refused = True
                await problem_answer(_as_problem(error))(self._scope, self._receive, self._send)
        if not self._refused:
            await self._send(message)


def _as_problem(error: Problem | PyMongoError) -> Problem:
    return error if isinstance(error, Problem) else Problem("database_unavailable", retry_after=RETRY_AFTER)
