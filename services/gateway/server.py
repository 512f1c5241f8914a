"""Serve until told to stop, then leave without losing anybody: not ready, no new connections, 1012 in slices, exit."""

import asyncio
import resource
import signal
import socket
from functools import partial
from typing import Any, Final

import uvicorn

from services.gateway import app
from services.gateway.dependencies import Gateway
from services.gateway.http.uvicorn_protocol import Http
from services.gateway.live import revocation
from services.gateway.settings import GatewaySettings
from shared.runtime import logs, watchdog

log = logs.get(__name__)

_FINISH_WITHIN: Final = 10  # seconds for requests that are being answered when the end comes


class _Server(uvicorn.Server):
    """Closes live connections before it waits for the others; uvicorn does not know of them."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called once, when it is time to stop."""
        self._gateway.hub.begin_closing()
        for server in self.servers:
            server.close()
        self._gateway.event_streams.end()
        await self._gateway.websockets.drain()
        await super().shutdown(sockets)


async def serve(settings: GatewaySettings) -> None:
    """Run one gateway until SIGTERM or SIGINT. Raises what ended its feed, for a supervisor to start it anew."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))  # each connection takes one
    async with app.connect(settings) as gateway:
        config = uvicorn.Config(
            app.build(gateway, settings),
            host=settings.gateway_host,
            port=settings.gateway_port,
            ws=gateway.websockets.protocol,  # type: ignore[arg-type]
            http=partial(Http, waiting=gateway.limits.waiting),  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_FINISH_WITHIN,
        )
        server = _Server(config, gateway)
        watches = (
            gateway.updates.run(),
            gateway.websockets.let_go_of_the_slow(),
            revocation.enforce(gateway.authenticator, gateway.hub, gateway.websockets, gateway.event_streams),
            watchdog.beat(settings.heartbeat, settings.blocked_seconds),
        )
        running = [asyncio.create_task(work) for work in watches]
        for task in running:
            task.add_done_callback(lambda _: setattr(server, "should_exit", True))
        # uvicorn handles both and raises them once more when it is done: for us a stop that was asked for is no error.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        try:
            await server.serve()
        finally:
            await _end(running, gateway)


async def _end(running: list[asyncio.Task[Any]], gateway: Gateway) -> None:
    failed = [task.exception() for task in running if task.done() and not task.cancelled()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await gateway.dispatcher.close()
    for error in failed:
        if error is not None:
            raise error
