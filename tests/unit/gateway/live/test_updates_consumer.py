"""Given what the feed read at once, is it behind."""

import pytest
from aiokafka import ConsumerRecord

from services.gateway.live.updates_consumer import is_behind


def record(key: str, at: int, value: bytes = b"") -> ConsumerRecord:
    return ConsumerRecord("updates", 0, at, at, 0, key.encode(), value, None, 0, 0, [("tenant", b"t")])


@pytest.mark.parametrize(
    ("moments", "behind"),
    [([5], False), ([0, 20, 250], False), ([0, 251], True), ([300, 0], True), ([7] * 256, False), ([7] * 257, True)],
)
def test_what_was_written_far_apart_and_is_read_at_once_is_late(moments: list[int], behind: bool) -> None:
    assert is_behind([record("d", at) for at in moments]) is behind
