"""What must exist before a service starts: topics and control collections. Run again, it changes nothing."""

from shared.kafka import topics
from shared.runtime.settings import SharedSettings
from shared.storage import mongo


async def provision(settings: SharedSettings) -> None:
    """Create and verify the topics, create the control database's indexes. Raises WrongTopic."""
    await topics.provision(settings.kafka, partitions=settings.partitions, replication=settings.replication)
    async with mongo.connect(settings) as database:
        await database.provision_control()


if __name__ == "__main__":  # `python -m shared.provisioning`, for installations that the stack does not start
    import asyncio

    from shared.runtime.settings import read

    asyncio.run(provision(read(SharedSettings)))
