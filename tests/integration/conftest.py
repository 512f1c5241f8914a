"""What the integration tests share beside broker and database: gateways, a worker, databases for each test."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from shared.events.pipeline import StageLine
from shared.harness.sandbox.pool import Pool
from shared.harness.settings import StageSettings
from shared.harness.worker.inputs import Inputs
from shared.harness.worker.slices import SliceRunner
from shared.harness.worker.worker import Worker
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from shared.storage.blobs import Blobs
from shared.storage.leases import Leases, Owner
from shared.storage.mongo import Mongo
from tests.support.gateway import GatewayProcess, Hand, environment_of, hand_of, serving
from tests.support.infrastructure import PARTITIONS, REPOSITORY, Infrastructure
from tests.support.projection import Bench
from tests.support.worker import STAGES, Desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(infrastructure: Infrastructure) -> Infrastructure:
    """The same, with the topics."""
    await topics.provision(infrastructure.kafka, partitions=PARTITIONS)
    return infrastructure


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the gateway of a module has its store and its log."""
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def environment(broker: Infrastructure, folder: Path) -> dict[str, str]:
    """The settings of the gateway of a module, which may have others."""
    return environment_of(broker, folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hand(environment: dict[str, str]) -> AsyncIterator[Hand]:
    """The projector of a module."""
    async with hand_of(environment) as hand:
        yield hand


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(environment: dict[str, str], folder: Path, hand: Hand) -> AsyncIterator[GatewayProcess]:
    """One gateway process for a module."""
    async with serving(environment, folder / "gateway.log") as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: GatewayProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:
        yield client


@pytest.fixture
async def settings(infrastructure: Infrastructure, tmp_path: Path) -> AsyncIterator[SharedSettings]:
    """Databases and a store for one test; the databases are dropped afterwards. The topics are there."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    settings = SharedSettings(
        kafka=infrastructure.kafka,
        mongo=infrastructure.mongo,
        store=f"file://{tmp_path / 'blobs'}",
        database=name,
        control_database=f"{name}_control",
        partitions=PARTITIONS,
    )
    await topics.provision(settings.kafka, partitions=PARTITIONS)
    yield settings
    async with mongo.connect(settings) as database:
        await database.client.drop_database(settings.database)
        await database.client.drop_database(settings.control_database)


@pytest.fixture
async def database(settings: SharedSettings) -> AsyncIterator[Mongo]:
    """The test's databases, with the control collections."""
    async with mongo.connect(settings) as database:
        await database.provision_control()
        yield database


@pytest.fixture
async def producer(settings: SharedSettings) -> AsyncIterator[Producer]:
    """A producer."""
    async with Producer.connect(settings.kafka) as producer:
        yield producer


@pytest.fixture
async def desk(
    settings: SharedSettings, database: Mongo, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    monkeypatch.setenv("PYTHONPATH", f"{STAGES}:{REPOSITORY}")
    blobs, pool = Blobs.open(settings.store), Pool("restless", 1, idle_seconds=60)
    odd = StageLine(stage="odd", weight=1.0)
    await topics.provision(settings.kafka, partitions=settings.partitions, pipeline=[odd])
    limits = StageSettings(child_memory_mb=1024, slice_deadline_seconds=20, plan_deadline_seconds=3, result_mb=1)
    worker = Worker(
        stage="odd",
        producer=producer,
        mongo=database,
        leases=Leases(database, Owner.of("here/odd")),
        slice_runner=SliceRunner(limits, producer, blobs, Inputs(blobs)),
        pool=pool,
    )
    yield Desk(worker, database, settings)
    await pool.close()


@pytest.fixture
async def bench(database: Mongo, producer: Producer, settings: SharedSettings) -> Bench:
    return Bench(database, Blobs.open(settings.store), producer)
