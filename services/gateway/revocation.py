"""Who loses the right to watch stops watching: keys and tokens that were revoked or have expired."""

import asyncio

from services.gateway.context import Gateway
from services.gateway.conversation import SIGN_IN
from services.gateway.keyring import LOOK_EVERY
from shared import logs
from shared.mongo import PyMongoError

log = logs.get(__name__)


async def enforce(gateway: Gateway) -> None:
    """Look, for ever, and close the connections of everybody who may not call any more.

    While the database is away nobody new gets in, and those who are in stay.
    """
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            await gateway.keyring.refresh()
            await _look(gateway)
        except PyMongoError as error:
            log.warning("keys and tokens cannot be checked", reason=str(error))


async def _look(gateway: Gateway) -> None:
    sockets, streams = set(gateway.sockets.open), set(gateway.streams.open)
    lost = await gateway.keyring.lost({s.caller for s in sockets} | {s.caller for s in streams})
    for socket in sockets:
        if socket.caller in lost:
            gateway.hub.leave(socket)
            gateway.sockets.part(socket, SIGN_IN, "sign_in")
    for stream in streams:
        if stream.caller in lost:
            gateway.hub.leave(stream)
            stream.end()
