"""Given the documents of a batch, how far are they together."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.live.batch_progress import BatchProgress
from services.gateway.targets import Standing


def tally(*standings: tuple[str, float]) -> BatchProgress:
    found = BatchProgress()
    found.fill("e1", [(f"d{n}", Standing(1, status, percent)) for n, (status, percent) in enumerate(standings)])
    return found


def shown(found: BatchProgress) -> tuple[Any, ...]:
    progress = found.progress()
    return progress["status"], progress["percent"], progress["total"]


@pytest.mark.parametrize(
    ("standings", "status", "percent"),
    [
        ([], "uploaded", 0.0),
        ([("uploaded", 0.0), ("uploaded", 0.0)], "uploaded", 0.0),
        ([("uploaded", 0.0), ("processing", 50.0)], "processing", 25.0),
        ([("completed", 100.0), ("retrying", 40.0)], "processing", 70.0),
        ([("completed", 100.0), ("failed", 10.0)], "failed", 100.0),
        ([("completed", 100.0), ("cancelled", 10.0)], "completed", 100.0),
        ([("cancelled", 0.0)], "cancelled", 100.0),
        ([("completed", 100.0), ("processed", 100.0)], "processing", 99.9),
    ],
)
def test_a_batch_is_as_far_as_its_documents_are_together(
    standings: list[tuple[str, float]], status: str, percent: float
) -> None:
    assert shown(tally(*standings)) == (status, percent, len(standings))


def test_how_they_ended_is_counted() -> None:
    progress = tally(("completed", 100.0), ("completed", 100.0), ("failed", 3.0), ("cancelled", 0.0)).progress()
    assert (progress["done"], progress["failed"], progress["cancelled"], progress["total"]) == (2, 1, 1, 4)


def test_a_deleted_document_counts_no_more_also_when_it_is_read_afterwards() -> None:
    found = tally(("completed", 100.0), ("processing", 0.0))
    found.note("e1", "d1", Standing(2, None, 0.0))
    found.fill("e1", [("d0", Standing(1, "completed", 100.0)), ("d1", Standing(1, "processing", 0.0))])
    assert shown(found) == ("completed", 100.0, 1)


def test_a_new_epoch_begins_with_what_was_read_in_it() -> None:
    found = tally(("completed", 100.0), ("processing", 0.0))
    found.note("e2", "d1", Standing(9, "completed", 100.0))
    found.fill("e2", [("d1", Standing(1, "processing", 10.0))])
    assert shown(found) == ("processing", 10.0, 1)


@given(st.permutations([(version, version * 10.0) for version in range(1, 6)]), st.integers(0, 5))
def test_the_newest_word_counts_whenever_the_rows_were_read(words: list[tuple[int, float]], read_after: int) -> None:
    found = BatchProgress()
    for place, (version, percent) in enumerate([*words, (0, 0.0)]):
        if place == read_after:
            found.fill("e1", [("d", Standing(3, "processing", 30.0))])
        if version:
            found.note("e1", "d", Standing(version, "processing", percent))
    assert found.progress()["percent"] == 50.0


def test_the_progress_of_a_large_batch_costs_no_more_than_that_of_a_small_one() -> None:
    """It is told with every change of one of its documents."""
    large = tally(*[("processing", 50.0)] * 20_000)
    began = time.process_time()
    for _ in range(1_000):
        large.progress()
    assert time.process_time() - began < 1.0
