"""The topics as they must be: names, partitions, how long each is kept."""

import pytest

from shared.events.document import MAX_BYTES
from shared.events.pipeline import StageLine
from shared.kafka import topics

DAY = 24 * 3_600_000
ALL = {topic.name: topic for topic in topics.all_topics(12)}


def test_there_is_one_topic_of_work_for_each_stage() -> None:
    pipeline = [StageLine(stage="ocr", weight=1.0), StageLine(stage="translate", weight=1.0)]
    names = {topic.name for topic in topics.all_topics(3, pipeline)}

    assert names == {"documents", "progress", "updates", "parked", "slices.ocr", "slices.translate"}


def test_the_log_is_kept_for_ever_and_never_compacted() -> None:
    config = ALL["documents"].config

    assert config["retention.ms"] == "-1"
    assert config["retention.bytes"] == "-1"
    assert config["cleanup.policy"] == "delete"
    assert "segment.ms" not in config


def test_a_fact_of_the_largest_size_fits_into_the_log() -> None:
    assert int(ALL["documents"].config["max.message.bytes"]) > MAX_BYTES


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("progress", DAY),
        ("updates", DAY // 24),
        ("parked", 30 * DAY),
        ("slices.ocr", 7 * DAY),
        ("slices.chunk", 7 * DAY),
    ],
)
def test_what_is_kept_for_a_while_is_cut_into_segments_of_a_tenth_of_it(name: str, kept) -> None:
    assert ALL[name].config["retention.ms"] == str(kept)
    assert ALL[name].config["segment.ms"] == str(kept // 10)


def test_keyed_topics_share_one_partition_count_so_a_document_has_one_place_in_each() -> None:
    assert {ALL[name].partitions for name in ("documents", "progress", "updates")} == {12}
