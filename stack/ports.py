"""Ports on the loopback address: found free before anything is started, so that a clash has a name."""

import asyncio
import random
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from shared.errors import Rejected

HOST: Final = "127.0.0.1"

# Below what Linux gives to outgoing connections (32768 and up): one of those could take the port before its server
# binds it, or while that is being restarted (seen: a broker kept off its port for a minute).
_ANY: Final = range(20_000, 32_000)
_TRIES: Final = 100


@dataclass(frozen=True)
class Wanted:
    """A port (0 = any free one), what wants it and the setting to change it by."""

    port: int
    what: str
    setting: str


def choose(wanted: Mapping[str, Wanted]) -> dict[str, int]:
    """A port for each request, free now and all different. Raises Rejected `port_in_use`."""
    with ExitStack() as held:  # all held at once, or two requests for "any" could get the same
        return {name: _bound(request, held) for name, request in wanted.items()}


async def choose_patiently(wanted: Mapping[str, Wanted], patience: float = 2.0) -> dict[str, int]:
    """As `choose`, but a busy port is looked at again for `patience` seconds.

    Of a stack that was killed the kernel ends the children too, and a Java machine takes a moment to be gone.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience
    while True:
        try:
            return choose(wanted)
        except Rejected:
            if clock() >= deadline:
                raise
        await asyncio.sleep(0.05)


def _bound(request: Wanted, held: ExitStack) -> int:
    for port in (request.port,) if request.port else random.sample(_ANY, _TRIES):
        probe = held.enter_context(socket.socket())
        # As servers do: a port whose last connections are in TIME_WAIT is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)  # with SO_REUSEADDR only this tells that two requests name the same port
        except OSError:
            continue
        return port
    raise Rejected("port_in_use", port=request.port, what=request.what, setting=request.setting)
