"""A broker that asks who comes: every kind of client that we have signs in with PAGESTREAM_KAFKA, or is turned away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from gateway_infra import free_port
from infrastructure import CACHE

from shared import kafka, reading, topics
from shared.settings import SharedSettings
from stack import kafka as broker
from stack.settings import StackSettings
from stack.supervisor import Supervisor

USER, PASSWORD = "pagestream", "not @ guess:able"
JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_pagestream="not @ guess:able";'


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[str]:
    """A broker whose second listener takes SASL/PLAIN only; the address of that listener."""
    settings = StackSettings(data=tmp_path, cache=CACHE, kafka=None, mongo=None)
    port, controller, guarded = free_port(), free_port(), free_port()
    program = await broker.program(settings, port, controller, lambda _: None)
    _guard(Path(program.argv[-1]), PLAINTEXT=port, SASL_PLAINTEXT=guarded, CONTROLLER=controller)
    supervisor = Supervisor(tmp_path / "logs", lambda _: None)
    supervisor.start(program)
    try:
        await supervisor.ready(program.name, 60)
        yield f"127.0.0.1:{guarded}"
    finally:
        await supervisor.stop()


def _guard(properties: Path, **listeners: int) -> None:
    with properties.open("a") as more:
        more.write(f"listeners={','.join(f'{name}://127.0.0.1:{port}' for name, port in listeners.items())}\n")
        kinds = {name: name for name in listeners} | {"CONTROLLER": "PLAINTEXT"}
        more.write(f"listener.security.protocol.map={','.join(f'{name}:{kind}' for name, kind in kinds.items())}\n")
        more.write("sasl.enabled.mechanisms=PLAIN\n")
        more.write(f"listener.name.sasl_plaintext.plain.sasl.jaas.config={JAAS}\n")


async def test_who_knows_the_password_works_as_everywhere_and_who_does_not_is_turned_away(servers: str) -> None:
    address = f"sasl_plaintext://{USER}:not%20%40%20guess%3Aable@{servers}?mechanism=PLAIN"
    settings = SharedSettings(kafka=address, partitions=1)
    async with asyncio.timeout(60):
        await broker.until_answering(address)
        await topics.provision(settings.kafka, partitions=1)
        async with kafka.connect(settings.kafka) as log:
            await log.send(topics.DOCUMENTS, b"kept", key="a")
        place = reading.place_of(topics.DOCUMENTS, "a", 1)
        assert [record.value async for record in reading.to_the_end(settings.kafka, place)] == [b"kept"]
    for stranger in (servers, f"sasl_plaintext://{USER}:guess@{servers}?mechanism=PLAIN"):
        with pytest.raises((KafkaError, TimeoutError)):
            async with asyncio.timeout(10):
                await topics.verify(stranger, [])
