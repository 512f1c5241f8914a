"""A broker with one more listener, which asks for more than the others."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from stack import kafka as broker
from stack.settings import StackSettings
from stack.supervisor import Supervisor
from tests.support.gateway import free_port
from tests.support.infrastructure import CACHE


@asynccontextmanager
async def guarded(folder: Path, protocols: Sequence[str], properties: Sequence[str]) -> AsyncIterator[list[str]]:
    """A broker with a listener for each of `protocols` (as Kafka names them); the addresses of those listeners."""
    settings = StackSettings(data=folder, cache=CACHE, kafka=None, mongo=None)
    port, controller = free_port(), free_port()
    program = await broker.program(settings, port, controller, lambda _: None)
    more = {f"GUARDED{number}": (protocol, free_port()) for number, protocol in enumerate(protocols)}
    listeners = {"PLAINTEXT": ("PLAINTEXT", port), **more, "CONTROLLER": ("PLAINTEXT", controller)}
    places = ",".join(f"{name}://127.0.0.1:{number}" for name, (_, number) in listeners.items())
    kinds = ",".join(f"{name}:{protocol}" for name, (protocol, _) in listeners.items())
    lines = (f"listeners={places}", f"listener.security.protocol.map={kinds}", *properties)
    _add(Path(program.argv[-1]), lines)
    supervisor = Supervisor(folder / "logs", lambda _: None)
    supervisor.start(program)
    try:
        await supervisor.ready(program.name, 60)
        yield [f"127.0.0.1:{number}" for _, number in more.values()]
    finally:
        await supervisor.stop()


def _add(properties: Path, lines: Sequence[str]) -> None:
    with properties.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
