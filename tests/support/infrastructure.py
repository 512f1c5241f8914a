"""A real broker and a real database for tests: in containers where an engine answers, else as our own children."""

import gc
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import docker
from docker.errors import DockerException
from testcontainers.community.kafka import KafkaContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from shared.errors import Transient
from stack.running import Running
from stack.settings import StackSettings
from stack.system import System
from tests.support import processes
from tests.support.background_loop import Background

REPOSITORY: Final = Path(__file__).parents[2]
PARTITIONS: Final = 3  # of the keyed topics on the broker that the tests share
CACHE: Final = Path(os.environ.get("PAGESTREAM_CACHE") or REPOSITORY / ".pagestream" / "cache")

_KAFKA_IMAGE: Final = "confluentinc/cp-kafka:8.1.0"  # Kafka 4.1
_MONGO_IMAGE: Final = "mongo:8.0"
_TRIES: Final = 3


@dataclass(frozen=True)
class Infrastructure:
    """Where broker and database answer; `frozen_broker` stops the broker in its tracks for as long as it is entered."""

    kafka: str
    mongo: str
    frozen_broker: Callable[[], AbstractContextManager[None]]


@contextmanager
def started(folder: Path) -> Iterator[Infrastructure]:
    """A broker without topics and an empty database, data in `folder` or in containers; gone on leaving."""
    with _in_containers() if _engine_answers() else _as_children(folder) as infrastructure:
        yield infrastructure


def _engine_answers() -> bool:
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore", ResourceWarning)  # where nobody listens, docker's client leaves a socket open
        stack.callback(gc.collect)
        try:
            client = docker.from_env(timeout=5)
            stack.callback(client.close)
            return bool(client.ping())
        except DockerException:
            return False


@contextmanager
def _as_children(folder: Path) -> Iterator[Infrastructure]:
    settings = StackSettings(
        data=folder, cache=CACHE, kafka=None, mongo=None, kafka_port=0, kafka_controller_port=0, mongo_port=0
    )

    @contextmanager
    def frozen() -> Iterator[None]:
        (broker,) = (pid for pid in processes.naming(str(folder / "kafka")) if os.getpid() == processes.parent_of(pid))
        os.kill(broker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(broker, signal.SIGCONT)

    with Background() as background:
        system, running = _started(background, settings)
        try:
            yield Infrastructure(running.kafka, running.mongo, frozen)
        finally:
            background.run(system.stop())


def _started(background: Background, settings: StackSettings) -> tuple[System, Running]:
    """A port that was free when it was chosen may be another test run's before it is bound."""
    for tries_left in reversed(range(_TRIES)):
        system = System(settings, lambda _: None)
        with suppress(Transient) if tries_left else nullcontext():
            return system, background.run(system.start())
    raise AssertionError("the last try raises")


@contextmanager
def _in_containers() -> Iterator[Infrastructure]:
    kafka = KafkaContainer(_KAFKA_IMAGE).with_kraft().with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
    mongo = (
        DockerContainer(_MONGO_IMAGE)
        .with_command("--replSet pagestream --bind_ip_all")
        .with_exposed_ports(27017)
        .waiting_for(LogMessageWaitStrategy("Waiting for connections"))
    )

    @contextmanager
    def frozen() -> Iterator[None]:
        container = kafka.get_wrapped_container()
        container.pause()
        try:
            yield
        finally:
            container.unpause()

    with kafka, mongo:
        initiate = "rs.initiate(); while (!db.hello().isWritablePrimary) sleep(50)"
        code, output = mongo.exec(["mongosh", "--quiet", "--eval", initiate])
        assert code == 0, output
        # The member's name is known inside its container only, so nobody may look for it by that name.
        address = f"mongodb://{mongo.get_container_host_ip()}:{mongo.get_exposed_port(27017)}/?directConnection=true"
        yield Infrastructure(kafka.get_bootstrap_server(), address, frozen)
