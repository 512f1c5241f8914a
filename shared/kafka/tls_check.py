"""Why a broker that speaks TLS cannot be reached: said at start, since its clients bury the reason in their logs."""

import asyncio
import ssl
from typing import Final

from shared.errors import Rejected
from shared.runtime.addresses import parse, tls

_WITHIN: Final = 5.0  # seconds for one handshake


async def check_broker(address: str) -> None:
    """Shake hands with each server of a broker that speaks TLS, as Kafka's clients do.

    Raises Rejected("untrusted"). A server that is only away is no reason to refuse: it may come back.
    """
    broker = parse(address)
    context = tls(broker)
    for server in broker.servers.split(",") if context else ():
        host, _, port = server.strip().rpartition(":")
        try:
            async with asyncio.timeout(_WITHIN):
                _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise Rejected(
                "untrusted", what=f"The broker {server}", detail=error.verify_message, setting="PAGESTREAM_KAFKA"
            ) from None
        except (OSError, TimeoutError):
            continue
        writer.transport.abort()
