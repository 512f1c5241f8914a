"""Who may call: the tenant of a request, and the check of Host and Origin that stands in for keys on this machine.

Any page in a browser can reach a server on its own machine. So a request that a foreign page sends (cross-site forms
and sockets, or a name of its own that it lets resolve to this machine) is refused before anything reads it.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.answers import problem_answer
from services.gateway.problems import Problem
from services.gateway.settings import is_loopback

TENANT: Final = "default"  # the one tenant while there are no keys
_HARMLESS: Final = ("GET", "HEAD", "OPTIONS")


class Doorkeeper:
    """Knows the origins that may call: our own, and those that the operator lists."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in origins)

    def check_host(self, host: str) -> None:
        """Raise Problem unless `host` (name[:port]) is a name of this machine or of a listed origin."""
        name = urlsplit(f"//{host}").hostname or ""
        if not is_loopback(name) and host not in self._hosts:
            raise Problem("foreign_host", host=host)

    def check_origin(self, origin: str | None, host: str) -> None:
        """Raise Problem for a page of another origin; programs send none."""
        if origin is None or origin in self._origins:
            return
        scheme, _, place = origin.partition("://")
        if scheme not in ("http", "https") or place != host:
            raise Problem("foreign_origin", origin=origin)


class Guard:
    """The doorkeeper in front of every HTTP request."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a foreign request with a problem, pass on every other."""
        headers = Headers(scope=scope)
        try:
            host = headers.get("host", "")
            self._doorkeeper.check_host(host)
            if scope["method"] not in _HARMLESS:
                self._doorkeeper.check_origin(headers.get("origin"), host)
        except Problem as problem:
            await problem_answer(problem)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
