"""The packaged Kafka, MongoDB and Tesseract, whatever the machine has installed: they run, keep data, and end."""

import asyncio
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import AsyncMongoClient

from stack import running, tesseract
from stack.events import Event, Starting, Stopped, Stopping
from stack.probes import until
from stack.process import Program
from stack.running import Running
from stack.settings import StackSettings
from stack.system import System

REPOSITORY: Final = Path(__file__).parents[2]
TOPIC: Final = "kept"

Database = AsyncMongoClient[dict[str, Any]]


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    """Packaged programs on any ports, the data in a folder of the test, the downloads shared by all tests."""
    cache = Path(os.environ.get("PAGESTREAM_CACHE") or REPOSITORY / ".pagestream" / "cache")
    return StackSettings(
        data=tmp_path / "data",
        cache=cache,
        kafka=None,
        mongo=None,
        packaged_only=True,
        kafka_port=0,
        kafka_controller_port=0,
        mongo_port=0,
        gateway_port=0,
    )


def processes_of(folder: Path) -> list[str]:
    """The command lines of all processes on this machine that name `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if os.fsencode(folder) in command:
            found.append(command.replace(b"\0", b" ").decode())
    return found


async def create_topic(running: Running) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=running.kafka)
    await admin.start()
    try:
        if TOPIC not in await admin.list_topics():
            await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        await admin.close()


async def produce(running: Running, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=running.kafka, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, value)
    finally:
        await producer.stop()


async def consume_first(running: Running) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=running.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(TOPIC, 0)])
        async with asyncio.timeout(20):
            value: bytes = (await consumer.getone()).value
        return value
    finally:
        await consumer.stop()


def tells_its_settings(path: Path) -> Program:
    """A service that writes the PAGESTREAM_… it was given to `path`, and is ready once it has."""
    code = (
        "import json, os, pathlib, sys, time; path = pathlib.Path(sys.argv[1]);"
        "path.with_suffix('.new').write_text(json.dumps({k: v for k, v in os.environ.items() if 'PAGESTREAM' in k}));"
        "path.with_suffix('.new').rename(path); time.sleep(600)"
    )

    async def told() -> bool:
        return await asyncio.to_thread(path.exists)

    return Program("service", (sys.executable, "-c", code, str(path)), ready=partial(until, told))


@pytest.mark.timeout(300)  # the first run on a machine downloads Kafka
async def test_record_and_document_are_found_again_after_a_restart_on_other_ports(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.kafka.cluster_id", lambda: "-TOkwak0RFOEZRzcMP4B7A")  # looks like an option
    told: list[Event] = []
    async with System(settings, told.append, provision=[create_topic], fresh=True) as system:
        before = system.running
        assert running.find(settings.folder) == before
        await produce(before, b"a record")
        async with Database(before.mongo) as client:
            await client.test.kept.insert_one({"_id": 1, "said": "a document"})
        assert await consume_first(before) == b"a record"
        assert len(processes_of(settings.folder)) == 2
    assert processes_of(settings.folder) == []
    assert running.find(settings.folder) is None
    assert all("packaged" in event.provider for event in told if isinstance(event, Starting))

    async with System(settings, told.append, provision=[create_topic]) as system:
        after = system.running
        assert {after.kafka, after.mongo}.isdisjoint({before.kafka, before.mongo})
        assert await consume_first(after) == b"a record"
        async with Database(after.mongo) as client:
            assert await client.test.kept.find_one({"_id": 1}) == {"_id": 1, "said": "a document"}
    assert processes_of(settings.folder) == []


@pytest.mark.timeout(300)
async def test_services_are_told_the_addresses_and_end_before_what_they_stand_on(settings: StackSettings) -> None:
    told: list[Event] = []
    answer = settings.folder / "answer.json"
    async with System(settings, told.append, programs=lambda _: [tells_its_settings(answer)]) as system:
        await system.ready(within=30)
        given = json.loads(answer.read_text())
        assert given["PAGESTREAM_KAFKA"] == system.running.kafka
        assert given["PAGESTREAM_MONGO"] == system.running.mongo
        assert system.running.gateway == f"http://127.0.0.1:{given['PAGESTREAM_GATEWAY_PORT']}"
        assert given["PAGESTREAM_STORE"] == f"file://{settings.folder}/blobs"
        assert given["PAGESTREAM_OCR_TESSDATA"] == str(tesseract.find(packaged_only=True).tessdata)
    ends = [(type(event), event.name) for event in told if isinstance(event, Stopping | Stopped)]
    assert ends[:2] == [(Stopping, "service"), (Stopped, "service")]
    assert {name for _, name in ends[2:]} == {"kafka", "mongodb"}
    assert processes_of(settings.folder) == []


@pytest.mark.timeout(300)
async def test_a_provision_that_fails_ends_what_was_started(settings: StackSettings) -> None:
    async def fail(_: Running) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await System(settings, lambda _: None, provision=[fail]).start()
    assert processes_of(settings.folder) == []
    assert running.find(settings.folder) is None


def test_the_packaged_tesseract_reads_english_and_german() -> None:
    found = tesseract.find(packaged_only=True)
    answer = subprocess.run(
        [found.path, "--list-langs"],
        env=os.environ | {"TESSDATA_PREFIX": str(found.tessdata)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"eng", "deu"} <= set(answer.stdout.splitlines())
