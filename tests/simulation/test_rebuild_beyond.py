"""What a live projection wrote beyond its checkpoint, when it died there, is no difference to a rebuild; nor is what it
has not erased yet."""

from collections.abc import Sequence

from aiokafka import TopicPartition

from services.progress.rebuild.accepted_differences import explained
from tests.simulation.bench import mongo_of, simulated
from tests.simulation.world import World

ONE = "6f1c2b8e-6a53-4c36-9a3e-3f1f0d1f7b11"
TWO = "6f1c2b8e-6a53-4c36-9a3e-3f1f0d1f7b12"
BARRIER = {TopicPartition(topic, number): 5 for topic in ("documents", "progress") for number in range(3)}


def told(
    document: int, timeline: int, facts_of_job: int, *, deleted: bool = False, compared: Sequence[str] = ("g", "new")
) -> set[str]:
    """Of two documents that differ in all their rows: the collections whose difference is explained, for the first."""

    async def body(world: World) -> set[str]:
        mongo = mongo_of(world)
        rows = {
            "documents": [
                {"_id": ONE, "offset": document, "version": 3_000_001, "deleted": deleted},
                {"_id": TWO, "offset": 4, "version": 1, "deleted": False},
            ],
            "timeline": [{"_id": f"{ONE}/event", "offset": timeline, "version": 3_000_000}],
            "processing_jobs": [{"_id": f"{ONE}/ocr", "version": facts_of_job * 1_000_000}],
        }
        for name, found in rows.items():
            await mongo.projection(name, "g").insert_many(found)
        differences = [f"{name}/{row['_id']}" for name, found in rows.items() for row in found]
        known = await explained(mongo, *compared, BARRIER, differences)
        assert f"documents/{TWO}" not in known
        return {difference.partition("/")[0] for difference in known}

    found: set[str] = simulated(body)
    return found


def test_a_document_is_ahead_by_its_own_row_by_one_of_its_timeline_or_by_one_of_its_jobs() -> None:
    everything = {"documents", "timeline", "processing_jobs"}

    assert told(document=4, timeline=4, facts_of_job=3) == set()
    assert told(document=5, timeline=4, facts_of_job=3) == everything
    assert told(document=4, timeline=5, facts_of_job=3) == everything
    assert told(document=4, timeline=4, facts_of_job=4) == everything


def test_of_a_deleted_document_only_its_own_row_counts() -> None:
    assert told(document=4, timeline=4, facts_of_job=3, deleted=True) == {"timeline", "processing_jobs"}


def test_rows_beyond_the_checkpoint_explain_a_difference_whichever_of_the_two_has_them() -> None:
    everything = {"documents", "timeline", "processing_jobs"}

    assert told(document=5, timeline=4, facts_of_job=3, compared=("old", "g")) == everything
    assert told(document=4, timeline=4, facts_of_job=3, deleted=True, compared=("old", "g")) == set()
