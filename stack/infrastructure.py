"""Broker and database: an address from the settings where there is one, else a child of ours."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import Transient
from shared.runtime import addresses
from stack import kafka, mongodb
from stack.events import OnEvent, Ready, Starting
from stack.ports import HOST, Wanted
from stack.process import Program
from stack.settings import StackSettings
from stack.supervisor import Supervisor
from stack.together import together

WITHIN: Final = 60.0  # seconds until both answer; it takes 3 on two idle cores


@dataclass(frozen=True)
class Addresses:
    """Bootstrap servers of the broker, URI of the database."""

    kafka: str
    mongo: str


def wanted_ports(settings: StackSettings) -> dict[str, Wanted]:
    """The ports that our own children need, by what they are for."""
    wanted = {}
    if not settings.kafka:
        wanted["kafka"] = Wanted(settings.kafka_port, "Kafka", "PAGESTREAM_KAFKA_PORT")
        wanted["controller"] = Wanted(
            settings.kafka_controller_port, "Kafka's controller", "PAGESTREAM_KAFKA_CONTROLLER_PORT"
        )
    if not settings.mongo:
        wanted["mongo"] = Wanted(settings.mongo_port, "MongoDB", "PAGESTREAM_MONGO_PORT")
    return wanted


async def start(
    settings: StackSettings, chosen: Mapping[str, int], supervisor: Supervisor, on_event: OnEvent
) -> Addresses:
    """Start what has no address in `settings` on the `chosen` ports; return when both answer.

    Raises Rejected or Transient. What was started is the supervisor's.
    """
    programs = await together(*_programs(settings, chosen, on_event))
    for program in programs:
        supervisor.start(program)
    waits = [supervisor.ready(program.name, WITHIN) for program in programs]
    if settings.kafka:
        waits.append(
            _reach(kafka.NAME, addresses.parse(settings.kafka).servers, kafka.until_answering(settings.kafka), on_event)
        )
    if settings.mongo:
        waits.append(_reach(mongodb.NAME, "the address given", mongodb.until_writable(settings.mongo), on_event))
    await together(*waits)
    return Addresses(
        kafka=settings.kafka or f"{HOST}:{chosen['kafka']}",
        mongo=settings.mongo or mongodb.address(chosen["mongo"]),
    )


def _programs(
    settings: StackSettings, chosen: Mapping[str, int], on_event: OnEvent
) -> Iterator[Coroutine[Any, Any, Program]]:
    if not settings.kafka:
        yield kafka.program(settings, chosen["kafka"], chosen["controller"], on_event)
    if not settings.mongo:
        yield mongodb.program(settings, chosen["mongo"])


async def _reach(name: str, address: str, answering: Awaitable[None], on_event: OnEvent) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    on_event(Starting(name, address))
    try:
        await asyncio.wait_for(answering, WITHIN)
    except TimeoutError:
        raise Transient("did_not_start", what=name, detail=f"no answer within {WITHIN:g} seconds") from None
    on_event(Ready(name, clock() - began))
