"""The topics: what each is for, how long it is kept, and the proof that the broker holds them so.

Automatic creation is off on both sides; a wrong setting stops the service that finds it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NodeNotReadyError, TopicAlreadyExistsError, for_code

from shared.events.pipeline import PIPELINE, StageLine
from shared.kafka import tls_check
from shared.runtime import addresses

DOCUMENTS: Final = "documents"
PROGRESS: Final = "progress"
UPDATES: Final = "updates"
PARKED: Final = "parked"
TENANT_HEADER: Final = "tenant"  # of a record on `updates`: whose it is
ENDED_HEADER: Final = "ended"  # and that the document has come to an end, or is deleted

_LEADER_TRIES: Final = 100  # a tenth of a second apart
_PATIENCE_SECONDS: Final = 20.0
_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR


def slices(stage: str) -> str:
    """The topic of a stage's work items."""
    return f"slices.{stage}"


@dataclass(frozen=True)
class Topic:
    """One topic as it must be. `retention_ms` of None keeps records without a limit."""

    name: str
    partitions: int
    retention_ms: int | None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, str]:
        """The broker's settings for it; retention works on whole segments, hence a tenth for each."""
        config = {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms or -1), "retention.bytes": "-1"}
        if self.retention_ms:
            config["segment.ms"] = str(self.retention_ms // 10)
        return config | self.extra


class WrongTopic(RuntimeError):
    """A topic is missing or wrong; names the setting, its value and the required value."""


def all_topics(partitions: int, pipeline: Iterable[StageLine] = PIPELINE) -> Sequence[Topic]:
    """Every topic of the system. Keyed topics share a partition count, so a document has one place in each."""
    work = [Topic(slices(line.stage), partitions, 7 * _DAY) for line in pipeline]
    return [
        Topic(DOCUMENTS, partitions, None, {"max.message.bytes": str(128 * 1024)}),
        Topic(PROGRESS, partitions, _DAY),
        Topic(UPDATES, partitions, _HOUR),
        Topic(PARKED, 1, 30 * _DAY),
        *work,
    ]


async def provision(
    address: str, *, partitions: int, replication: int = 1, pipeline: Iterable[StageLine] = PIPELINE
) -> None:
    """Create the topics that are missing, then verify all. Raises WrongTopic, KafkaError."""
    wanted = all_topics(partitions, pipeline)

    async def create(admin: AIOKafkaAdminClient) -> None:
        present = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in present]
        if missing:
            await _create(admin, missing, replication)
            await _led(admin, [topic.name for topic in missing])
        await _verify(admin, wanted)

    await _ask(address, create)


async def verify(address: str, topics: Sequence[Topic]) -> None:
    """Check that `topics` are as they must be. Raises WrongTopic, Rejected("untrusted"), KafkaError."""
    await tls_check.check_broker(address)
    await _ask(address, lambda admin: _verify(admin, topics))


async def _ask(address: str, ask: Callable[[AIOKafkaAdminClient], Awaitable[None]]) -> None:
    """Ask again for a while where the cluster has no broker to answer: one that misses heartbeats is shut out of it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        admin = AIOKafkaAdminClient(**addresses.options(address))
        try:
            await admin.start()
            return await ask(admin)
        except NodeNotReadyError:
            if time.monotonic() > deadline:
                raise
        finally:
            await admin.close()
        await asyncio.sleep(0.5)


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication: int) -> None:
    durable = {"min.insync.replicas": str(max(1, replication - 1))}
    answer = await admin.create_topics(
        [NewTopic(t.name, t.partitions, replication, topic_configs=t.config | durable) for t in topics]
    )
    for name, code, *detail in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise WrongTopic(f"topic {name} cannot be created: {error.__name__} {detail}")


async def _led(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Wait until every partition has a leader: a topic can be described before it can be written to."""
    for _ in range(_LEADER_TRIES):
        described = await admin.describe_topics(list(names))
        if all(not t["error_code"] and all(p["leader"] >= 0 for p in t["partitions"]) for t in described):
            return
        await asyncio.sleep(0.1)
    raise WrongTopic(f"no leader for the partitions of {', '.join(names)}")


async def _verify(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    described = {t["topic"]: t for t in await admin.describe_topics([t.name for t in topics])}
    resources = [ConfigResource(ConfigResourceType.TOPIC, t.name) for t in topics]
    configs = {
        entry[3]: {row[0]: row[1] for row in entry[4]}
        for response in await admin.describe_configs(resources)
        for entry in response.resources
    }
    for topic in topics:
        found = described.get(topic.name)
        if not found or found["error_code"]:
            raise WrongTopic(f"topic {topic.name} does not exist; `pagestream up` creates it")
        _hold(topic, "partitions", str(len(found["partitions"])), str(topic.partitions))
        for setting, value in topic.config.items():
            _hold(topic, setting, configs[topic.name].get(setting, ""), value)


def _hold(topic: Topic, setting: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise WrongTopic(f"topic {topic.name}: {setting} is {found}, it must be {wanted}")
