"""Revocation: connections are closed when their key or token is revoked or expires."""

import asyncio

from services.gateway.auth.authenticator import LOOK_EVERY, Authenticator
from services.gateway.live.close_codes import SIGN_IN
from services.gateway.live.hub import Hub
from services.gateway.live.sse import EventStreams
from services.gateway.live.websocket import WebSockets
from shared.runtime import logs
from shared.storage.mongo import PyMongoError

log = logs.get(__name__)


async def enforce(authenticator: Authenticator, hub: Hub, sockets: WebSockets, streams: EventStreams) -> None:
    """Close the connections of every caller whose key or token was revoked or has expired. Runs until cancelled.

    While the database is away, no new connection is let in, and open ones stay.
    """
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            await authenticator.refresh()
            await _close_lost(authenticator, hub, sockets, streams)
        except PyMongoError as error:
            log.warning("keys and tokens cannot be checked", reason=str(error))


async def _close_lost(authenticator: Authenticator, hub: Hub, sockets: WebSockets, streams: EventStreams) -> None:
    open_sockets, open_streams = set(sockets.open), set(streams.open)
    lost = await authenticator.lost({s.caller for s in open_sockets} | {s.caller for s in open_streams})
    for socket in open_sockets:
        if socket.caller in lost:
            hub.leave(socket)
            sockets.part(socket, SIGN_IN, "sign_in")
    for stream in open_streams:
        if stream.caller in lost:
            hub.leave(stream)
            stream.end()
