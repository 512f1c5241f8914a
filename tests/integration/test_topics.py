"""The topics on a real broker: created once, and held to what they must be."""

import uuid

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NodeNotReadyError

from shared.events.pipeline import PIPELINE, StageLine
from shared.kafka import topics
from shared.kafka.topics import WrongTopic
from shared.runtime.settings import SharedSettings
from tests.support import kafka
from tests.support.infrastructure import PARTITIONS


async def test_provisioning_again_changes_nothing(settings: SharedSettings) -> None:
    async def described() -> dict[str, int]:
        async with kafka.admin(settings.kafka) as client:
            names = [topic.name for topic in topics.all_topics(PARTITIONS)]
            return {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics(names)}

    before = await described()
    await topics.provision(settings.kafka, partitions=PARTITIONS)
    assert await described() == before
    assert before == {"documents": 3, "progress": 3, "updates": 3, "parked": 1} | {
        topics.slices(line.stage): 3 for line in PIPELINE
    }


async def test_another_partition_count_is_refused_by_name(settings: SharedSettings) -> None:
    with pytest.raises(WrongTopic, match=r"topic documents: partitions is 3, it must be 4"):
        await topics.provision(settings.kafka, partitions=4)


async def test_another_retention_is_refused_by_name(settings: SharedSettings) -> None:
    stage = f"s{uuid.uuid4().hex[:8]}"
    pipeline = [StageLine(stage=stage, weight=1)]
    await topics.provision(settings.kafka, partitions=PARTITIONS, pipeline=pipeline)
    async with kafka.admin(settings.kafka) as client:
        shorter = ConfigResource(ConfigResourceType.TOPIC, topics.slices(stage), {"retention.ms": "1000"})
        await client.alter_configs([shorter])
    with pytest.raises(WrongTopic, match=rf"topic slices.{stage}: retention.ms is 1000, it must be 604800000"):
        await topics.provision(settings.kafka, partitions=PARTITIONS, pipeline=pipeline)
    with pytest.raises(WrongTopic, match=r"retention.ms"):
        await topics.verify(settings.kafka, topics.all_topics(PARTITIONS, pipeline))


async def test_a_missing_topic_is_refused_and_not_created(settings: SharedSettings) -> None:
    pipeline = [StageLine(stage=f"s{uuid.uuid4().hex[:8]}", weight=1)]
    for _ in range(2):
        with pytest.raises(WrongTopic, match=rf"topic slices.{pipeline[0].stage} does not exist"):
            await topics.verify(settings.kafka, topics.all_topics(PARTITIONS, pipeline))


async def test_a_cluster_whose_broker_is_shut_out_of_it_is_asked_again(
    settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real broker comes there by missing heartbeats on a crowded machine, for a second or two."""
    asked: list[str] = []
    real = AIOKafkaAdminClient.list_topics

    async def at_first_nobody(admin: AIOKafkaAdminClient) -> list[str]:
        asked.append("topics")
        if len(asked) == 1:
            raise NodeNotReadyError
        found: list[str] = await real(admin)
        return found

    monkeypatch.setattr(AIOKafkaAdminClient, "list_topics", at_first_nobody)
    await topics.provision(settings.kafka, partitions=PARTITIONS)
    assert len(asked) == 2
