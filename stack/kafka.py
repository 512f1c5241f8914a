"""Apache Kafka as a child of ours: one node that is broker and controller (KRaft), bound to the loopback address."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.errors import Transient
from shared.runtime import addresses
from stack import jars, java
from stack.events import Downloading, OnEvent
from stack.ports import HOST
from stack.probes import accepts, until
from stack.process import Program, die_with_parent
from stack.settings import StackSettings

NAME: Final = "kafka"

# What one machine needs of a broker. Measured on Java 17, idle after start: 351 MB resident and 4.7 s of CPU with only
# -Xmx256m and the serial collector; 157 MB and 2.9 s as here. First answer after 2.3 s (2 cores).
_JVM: Final = (
    "-Xmx256m",  # under load 163 MB resident in all; the page cache does the work, not the heap
    "-Xms48m",  # else the heap begins at its maximum and fills up before the first collection: 50 MB less
    "-XX:+UseSerialGC",  # the smallest collector; a heap of this size is collected in milliseconds
    "-XX:TieredStopAtLevel=1",  # the quick compiler only: 1.5 s less CPU at start, and no slower under our loads
    "-XX:+ExitOnOutOfMemoryError",  # a dead broker is started again, a wounded one is not
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",  # the log file tells what is wrong, not what is normal
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
# Kafka's mapped files and its compression libraries use what Java 24 and later warn about.
_JVM_FROM_24: Final = ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED")


async def program(settings: StackSettings, port: int, controller_port: int, on_event: OnEvent) -> Program:
    """The broker, ready to be started on `kafka` in the data folder: jars at hand, properties written, formatted.

    Raises Rejected or Transient with what is missing.
    """
    chosen = await asyncio.to_thread(partial(java.find, packaged_only=settings.packaged_only))
    libraries = None if settings.packaged_only else installed_libraries()
    class_path = libraries or await _packaged_class_path(settings.downloads / "kafka", on_event)
    home = settings.folder / "kafka"
    home.mkdir(parents=True, exist_ok=True)
    properties = home / "server.properties"
    properties.write_text(server_properties(home / "log", port, controller_port))
    modern = _JVM_FROM_24 if chosen.version >= 24 else ()
    command = (str(chosen.path), *_JVM, *modern, "-cp", class_path)
    if not (home / "log" / "meta.properties").exists():
        # One word with "=": one id in 64 begins with "-" and would be taken for an option.
        identity = f"--cluster-id={cluster_id()}"
        await _format((*command, "kafka.tools.StorageTool", "format", identity, "--config", str(properties)))
    return Program(
        name=NAME,
        argv=(*command, "kafka.Kafka", str(properties)),
        ready=partial(until_answering, f"{HOST}:{port}"),
        provider=f"{'installed' if libraries else 'packaged'} Apache Kafka on Java {chosen.version}",
    )


def server_properties(folder: Path, port: int, controller_port: int) -> str:
    """The broker's configuration as a properties file. The ports may be others at each start."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        # A fixed quorum and not a recorded one: it is read anew at each start, so the port may change.
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "log.dirs": folder.as_posix(),
        "auto.create.topics.enable": "false",  # a misspelt name is an error, not a topic
        "group.initial.rebalance.delay.ms": "0",  # a consumer of ours does not wait 3 s for others to join
        # After kill -9 the controller lets the broker in again once the old one's session is over: 4 s, not 9. Long
        # enough that a machine with OCR on all cores does not miss eight heartbeats.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        # One broker can hold one copy.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Internal topics as small as the machine: 50 partitions each are open files and memory for nothing.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        # Threads for a few dozen connections.
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
        "num.recovery.threads.per.data.dir": "2",
        # The cleaner's table, allocated at start: 128 MB by default, to compact millions of keys; we compact offsets.
        "log.cleaner.dedupe.buffer.size": str(8 * 2**20),
    }
    # Java reads the file as Latin-1; the escapes of JSON strings are the ones of properties files.
    return "".join(f"{name}={json.dumps(value)[1:-1]}\n" for name, value in settings.items())


def installed_libraries() -> str | None:
    """The class path of a Kafka 4 or later on PATH, unpacked as Apache ships it; None if there is none."""
    script = shutil.which("kafka-server-start.sh")
    if not script:
        return None
    libraries = Path(script).resolve().parent.parent / "libs"
    return f"{libraries}/*" if any(libraries.glob("kafka_2.13-[4-9]*.jar")) else None


async def until_answering(address: str) -> None:
    """Return once a broker at `address` (as in PAGESTREAM_KAFKA) names the members of its cluster. No deadline."""
    await until(partial(_answers, address))


async def _answers(address: str) -> bool:
    servers = [server.strip().rpartition(":") for server in addresses.parse(address).servers.split(",")]
    if not any([await accepts(host, int(port)) for host, _, port in servers]):
        return False
    admin = AIOKafkaAdminClient(**addresses.options(address))
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except KafkaError:
        return False
    finally:
        await admin.close()


async def _packaged_class_path(folder: Path, on_event: OnEvent) -> str:
    loop = asyncio.get_running_loop()
    abandoned = threading.Event()

    def report(done: int, total: int) -> None:
        if abandoned.is_set():  # cancelling the coroutine does not end the thread, so it ends itself
            raise InterruptedError("the download was cancelled")
        loop.call_soon_threadsafe(on_event, Downloading("Apache Kafka", done, total))

    try:
        paths = await asyncio.to_thread(jars.fetch, jars.parse(jars.LIST.read_text()), folder, report)
    finally:
        abandoned.set()
    return os.pathsep.join(map(str, paths))


async def _format(command: Sequence[str]) -> None:
    """Give the log folder its cluster id; Kafka refuses to start on one without."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=die_with_parent()
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise Transient("did_not_start", what="kafka (format)", detail=output.decode(errors="replace").strip())


def cluster_id() -> str:
    """A random cluster id in Kafka's own form: a UUID in base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
