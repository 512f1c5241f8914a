"""Where the real code meets the fakes: every place through which the outside world is reached leads into this world."""

import asyncio
import logging
import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import structlog

from services.gateway.uploads import ingest
from services.progress import handlers
from services.progress.deciders import janitor
from services.progress.projection import snapshot_export
from services.progress.rebuild import generation_swap, handover, replay_pool, replay_share
from services.progress.settings import ProgressSettings
from shared.errors import Rejected
from shared.events import document
from shared.events.pipeline import PIPELINE
from shared.harness import app as stage_app
from shared.harness.sandbox import pool, temp_folders
from shared.harness.worker import acknowledged, consumer
from shared.kafka import consumer as kafka_consumer
from shared.kafka import producer, topics
from shared.projecting import batch, heartbeat
from shared.projecting import loop as fold_loop
from shared.projecting.checkpoint import Share
from shared.projecting.state_store import StateStore
from shared.runtime import allocator
from shared.storage import blobs, leases, mongo
from shared.storage.blobs import Blobs
from tests.simulation import store
from tests.simulation.broker import Admin, BrokerProducer, Consumer
from tests.simulation.child import NOWHERE, Child
from tests.simulation.database import Client
from tests.simulation.scenario import Scenario
from tests.simulation.scheduler import EPOCH, Scheduler, loop
from tests.simulation.subscriber import KafkaBroker

# Less often than in life: what is looked at in between is told by events anyway, and each look costs time.
_PACE: Final = (
    (leases, "_STANDBY_SECONDS", 2.0), (heartbeat, "EVERY_SECONDS", 4.0), (handlers, "_SWEEP_SECONDS", 2.0),
    (fold_loop, "POLL_MS", 1000), (handover, "_STANDBY_SECONDS", 2.0),
    (handlers, "_SNAPSHOT_SECONDS", 5.0),
    (consumer, "_ANNOUNCE_SECONDS", 6.0),
)  # fmt: skip


class Clock(datetime):
    """The wall clock of the process that asks."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        world = loop()
        return datetime.fromtimestamp(EPOCH + world.now + world.process.clock, tz or UTC)


@contextmanager
def patched(scheduler: Scheduler, scenario: Scenario, tell: Callable[[str, str], None]) -> Iterator[None]:
    """Let the project's modules run in the world of `scheduler`; everything is as before on leaving."""
    draw = random.Random(scenario.seed ^ 0x5EED)
    random.seed(scenario.seed)
    logs = structlog.get_config() if structlog.is_configured() else None
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    structlog.configure(processors=[_to(tell)], cache_logger_on_first_use=False)
    changes = [*_PACE, *_outside(scheduler, draw), *_sizes(scenario)]
    before = [(where, name, getattr(where, name)) for where, name, _ in changes]
    defaults = StateStore.__init__.__defaults__
    StateStore.__init__.__defaults__ = (scenario.capacity,)
    for where, name, value in changes:
        setattr(where, name, value)
    try:
        yield
    finally:
        logging.disable(disabled)
        structlog.configure(**logs) if logs else structlog.reset_defaults()
        StateStore.__init__.__defaults__ = defaults
        for where, name, value in reversed(before):
            setattr(where, name, value)


def _sizes(scenario: Scenario) -> Iterator[tuple[Any, str, Any]]:
    yield fold_loop, "BATCH", scenario.batch
    yield stage_app, "_PATIENCE", scenario.patience
    if scenario.tidy:
        yield janitor, "KEEP", timedelta(seconds=45)
        yield handlers, "_TIDY_SECONDS", 5.0
    yield ingest, "PIPELINE", [line for line in PIPELINE if line.stage in scenario.stages]


def _outside(scheduler: Scheduler, draw: random.Random) -> Iterator[tuple[Any, str, Any]]:
    yield mongo, "AsyncIOMotorClient", _client
    yield (
        producer,
        "AIOKafkaProducer",
        lambda **options: BrokerProducer(loop().world.broker, options["max_request_size"]),
    )
    yield kafka_consumer, "AIOKafkaConsumer", lambda **_: Consumer(loop().world.broker)
    yield acknowledged, "AIOKafkaAdminClient", lambda **_: Admin(loop().world.broker)
    yield consumer, "KafkaBroker", KafkaBroker
    yield blobs, "S3Store", store.S3Store
    yield blobs, "obstore", store
    yield Blobs, "local", _local
    yield pool, "Child", Child
    yield topics, "verify", _verified
    yield allocator, "give_back", lambda: None  # it takes as long as the rest of a world
    yield temp_folders, "make", lambda: Path(NOWHERE)
    yield temp_folders, "sweep", lambda: None
    yield asyncio, "to_thread", _inline
    yield time, "monotonic", lambda: scheduler.now + 1000.0
    yield leases, "_clock", lambda: scheduler.now + 1000.0
    yield time, "time", lambda: EPOCH + scheduler.now + scheduler.process.clock
    yield document, "datetime", Clock
    yield uuid, "uuid4", lambda: uuid.UUID(int=draw.getrandbits(128), version=4)
    yield secrets, "choice", draw.choice
    yield secrets, "token_hex", lambda count=16: draw.randbytes(count).hex()
    yield secrets, "token_bytes", lambda count=32: draw.randbytes(count)
    yield secrets, "randbits", draw.getrandbits
    few = {kind: (name, columns, 2) for kind, (name, columns, _) in snapshot_export._EXPORTED.items()}
    yield snapshot_export, "_EXPORTED", few
    yield replay_pool, "restore", _restore
    yield replay_share, "read", lambda _: ProgressSettings(store="s3://simulated")
    yield replay_share, "report", lambda done: None
    yield generation_swap, "report", lambda **words: scheduler.world.hear_rebuild(words)
    yield batch, "decode", lru_cache(4096)(document.decode)


async def _restore(generation: str, snapshot: str, on_rows: Callable[[int], None]) -> None:
    """The shares of a snapshot, one after another in the process that waits for them."""
    for number in range(2):
        try:
            await replay_share.restore(generation, Share(number, 2), snapshot)
        except Rejected:
            raise ExceptionGroup("shares", [replay_pool.Refused()]) from None
        on_rows(1)


def _client(*_: Any, serverSelectionTimeoutMS: int = 30_000, **__: Any) -> Client:
    return Client(loop().world.server, serverSelectionTimeoutMS / 1000)


async def _local(self: Blobs, name: str, into: Path) -> Path:
    if not await self.exists(name):
        raise blobs.BlobMissing(name)
    return Path(NOWHERE) / name


async def _verified(*_: Any) -> None:
    pass


async def _inline(work: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
    return work(*args, **options)


def _to(tell: Callable[[str, str], None]) -> Any:
    def keep(_: Any, level: str, event: dict[str, Any]) -> Any:
        if level not in ("info", "debug"):
            said = event.pop("event")
            if said == "one document is set aside":  # nothing in here is meant to need a fence
                loop().world.surprises.append(f"{loop().process.name} sets a document aside: {event}")
            tell(loop().process.name, f"{level}: {said} {event}"[:300])
        raise structlog.DropEvent

    return keep
