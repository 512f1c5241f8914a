"""Every HTTP request belongs to a trace: the caller's, or one that begins here and that the answer names."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import tracing


class Traced:
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
