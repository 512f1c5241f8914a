"""How far a rebuild is: said by the live projector, from the checkpoint of what is being built."""

import pytest

from services.progress.projection import generations
from services.progress.rebuild import rebuild_job
from services.progress.rebuild.rebuild_job import RebuildTicks
from shared.errors import Rejected
from shared.events.document import Record
from shared.events.standalone_job import JobProgress
from shared.kafka.producer import Producer
from shared.projecting.checkpoint import Positions
from shared.storage.mongo import Mongo


class Heard:
    """What a rebuild and the projector say."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.facts: list[Record] = []
        self.ticks: list[JobProgress] = []

        async def append(_: Producer, fact: Record) -> None:
            self.facts.append(fact)

        patch.setattr(Producer, "append", append)
        patch.setattr(Producer, "tick", lambda _, tick: self.ticks.append(tick))


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return Heard(monkeypatch)


async def at(database: Mongo, generation: str, share: float) -> Positions:
    """Move the generation's checkpoint to this share of 100 records in each partition; where all of them end."""
    checkpoint = generations.checkpoint(database, generation)
    places = await checkpoint.load()
    await checkpoint.store({place: round(100 * share) for place in places})
    return dict.fromkeys(places, 100)


async def test_it_is_spoken_of_as_long_as_it_moves(database: Mongo, producer: Producer, heard: Heard) -> None:
    generation = await generations.begin(database, 3)
    ticks = RebuildTicks(database, producer)
    async with rebuild_job.published_job(producer, database, generation) as job_id:
        for share in (0.25, 0.25, 0.5):
            await ticks.publish(await at(database, generation, share))
    await ticks.publish(await at(database, generation, 1.0))
    assert [(tick.job_id, tick.percent) for tick in heard.ticks] == [(job_id, 25.0), (job_id, 50.0)]
    assert [fact.type for fact in heard.facts] == ["JobStarted", "JobCompleted"]
    assert {fact.key for fact in heard.facts} == {job_id}


async def test_one_that_is_refused_has_failed_and_the_next_is_another_job(
    database: Mongo, producer: Producer, heard: Heard
) -> None:
    generation = await generations.begin(database, 3)
    with pytest.raises(Rejected):
        async with rebuild_job.published_job(producer, database, generation) as refused:
            raise Rejected("rebuild_overtaken")
    async with rebuild_job.published_job(producer, database, generation) as second:
        pass
    assert [fact.type for fact in heard.facts] == ["JobStarted", "JobFailed", "JobStarted", "JobCompleted"]
    assert refused != second


async def test_one_that_was_killed_goes_on_as_the_same_job(database: Mongo, producer: Producer, heard: Heard) -> None:
    generation = await generations.begin(database, 3)
    with pytest.raises(RuntimeError):
        async with rebuild_job.published_job(producer, database, generation) as killed:
            raise RuntimeError("stands for kill -9")
    async with rebuild_job.published_job(producer, database, generation) as resumed:
        pass
    assert killed == resumed
    assert len({fact.event_id for fact in heard.facts if fact.type == "JobStarted"}) == 1
