"""TLS to a real broker and a real database: who trusts the right authority works, everybody else is told why not."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.kafka import partition_reader, topics
from shared.kafka.producer import Producer
from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from stack import mongodb
from stack.settings import StackSettings
from stack.supervisor import Supervisor
from tests.support.certificates import Authority
from tests.support.gateway import free_port
from tests.support.guarded_broker import guarded
from tests.support.infrastructure import CACHE, PARTITIONS, REPOSITORY, Infrastructure


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    """Has signed nothing that is used here."""
    return Authority(tmp_path, "stranger")


@pytest.fixture
async def brokers(tmp_path: Path, authority: Authority) -> AsyncIterator[tuple[str, str]]:
    """Two TLS listeners of one broker: with a certificate for their address, and with one for another host."""
    asks = [
        line
        for number, name in enumerate(("127.0.0.1", "elsewhere.example"))
        for line in (
            f"listener.name.guarded{number}.ssl.keystore.type=PEM",
            f"listener.name.guarded{number}.ssl.keystore.location={authority.server(name)}",
        )
    ]
    async with guarded(tmp_path, ["SSL", "SSL"], asks) as (right, wrong):
        yield right, wrong


@pytest.fixture(params=["127.0.0.1", "elsewhere.example"])
async def database(request: Any, tmp_path: Path, authority: Authority) -> AsyncIterator[str]:
    """The URI, without a CA, of a database whose certificate is for the host of the parameter."""
    settings = StackSettings(data=tmp_path, cache=CACHE, kafka=None, mongo=None)
    program = await mongodb.program(settings, port := free_port())
    tls = ("--tlsMode", "allowTLS", "--tlsCertificateKeyFile", str(authority.server(request.param)))
    supervisor = Supervisor(tmp_path / "logs", lambda _: None)
    supervisor.start(replace(program, argv=(*program.argv, *tls)))
    try:
        await supervisor.ready(program.name, 60)
        yield f"mongodb://127.0.0.1:{port}/?replicaSet={mongodb.REPLICA_SET}&tls=true"
    finally:
        await supervisor.stop()


async def started(broker: str, database: str, folder: Path) -> tuple[int | None, str]:
    """How a gateway ends that is to use these, and what it says on standard error."""
    settings = {"PAGESTREAM_KAFKA": broker, "PAGESTREAM_MONGO": database, "PAGESTREAM_STORE": f"file://{folder}/blobs"}
    settings["PAGESTREAM_PARTITIONS"] = str(PARTITIONS)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.gateway", cwd=REPOSITORY, env=settings,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_a_broker_is_used_over_tls_by_who_trusts_its_authority_and_refused_by_everybody_else(
    brokers: tuple[str, str], infrastructure: Infrastructure, authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    right, wrong = brokers
    address = f"ssl://{right}?ca={authority.file}"
    async with asyncio.timeout(60):
        await topics.provision(address, partitions=1)
        async with Producer.connect(address) as producer:
            await producer.send(topics.DOCUMENTS, b"kept", key="a")
        place = partition_reader.place_of(topics.DOCUMENTS, "a", 1)
        assert [record.value async for record in partition_reader.to_the_end(address, place)] == [b"kept"]
    missing = tmp_path / "missing.pem"
    for broker, sentence in {
        f"ssl://{right}?ca={stranger.file}": f"The broker {right} shows a certificate that is not trusted: unable",
        f"ssl://{right}": "not trusted: unable to get local issuer certificate",
        f"ssl://{wrong}?ca={authority.file}": "not trusted: IP address mismatch",
        f"ssl://{right}?ca={missing}": f"PAGESTREAM_KAFKA is not allowed: Value error, ca={missing} cannot be used",
    }.items():
        code, said = await started(broker, infrastructure.mongo, tmp_path)
        assert (code, sentence in said, "Traceback" in said) == (2, True, False), said


async def test_a_database_is_used_over_tls_by_who_trusts_its_authority_and_refused_by_everybody_else(
    database: str, infrastructure: Infrastructure, authority: Authority, stranger: Authority, tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    right = f"{database}&tlsCAFile={authority.file}"
    await topics.provision(infrastructure.kafka, partitions=PARTITIONS)
    if "elsewhere" in request.node.name:
        refusals = {right: "The database shows a certificate that is not trusted: IP address mismatch"}
    else:
        async with mongo.connect(SharedSettings(mongo=right)) as found:
            await found.control["proof"].insert_one({"_id": "kept"})
            assert await found.control["proof"].find_one() == {"_id": "kept"}
        missing = tmp_path / "missing.pem"
        refusals = {
            f"{database}&tlsCAFile={stranger.file}": "not trusted: unable to get local issuer certificate",
            f"{database}&tlsCAFile={missing}": f"PAGESTREAM_MONGO is not allowed: Value error, tlsCAFile={missing} is",
        }
    for uri, sentence in refusals.items():
        code, said = await started(infrastructure.kafka, uri, tmp_path)
        assert (code, sentence in said, "Traceback" in said) == (2, True, False), said
