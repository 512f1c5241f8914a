"""Given what the feed read at once, is it behind."""

import orjson
import pytest
from aiokafka import ConsumerRecord

from services.gateway.live.updates_consumer import is_behind, newest


def record(key: str, at: int, value: bytes = b"") -> ConsumerRecord:
    return ConsumerRecord("updates", 0, at, at, 0, key.encode(), value, None, 0, 0, [("tenant", b"t")])


@pytest.mark.parametrize(
    ("moments", "behind"),
    [([5], False), ([0, 20, 250], False), ([0, 251], True), ([300, 0], True), ([7] * 256, False), ([7] * 257, True)],
)
def test_what_was_written_far_apart_and_is_read_at_once_is_late(moments: list[int], behind: bool) -> None:
    assert is_behind([record("d", at) for at in moments]) is behind


def stated(key: str, version: int, epoch: str = "e1") -> ConsumerRecord:
    return record(key, 0, orjson.dumps({"document_id": key, "epoch": epoch, "version": version, "document": {}}))


def versions(*records: ConsumerRecord) -> list[tuple[str, str, int]]:
    found = [orjson.loads(update.value) for update in newest(records)]
    return [(one["document_id"], one["epoch"], one["version"]) for one in found]


def test_an_older_state_that_comes_late_does_not_take_the_place_of_a_newer_one() -> None:
    assert versions(stated("d", 20), stated("d", 3), stated("c", 1)) == [("d", "e1", 20), ("c", "e1", 1)]


def test_a_late_word_of_another_epoch_takes_no_place_at_all() -> None:
    found = versions(stated("d", 20, "e2"), stated("d", 30, "e1"), stated("d", 21, "e2"))

    assert found == [("d", "e1", 30), ("d", "e2", 21)]
