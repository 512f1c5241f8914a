"""Given a plan, which pages there are and which slice reads each."""

import pytest

from services.gateway.queries import page_status
from services.gateway.queries.page_status import Slices
from shared.harness.contract import MAX_PAGES, Plan, Slice

NOTHING = Slices(b"", frozenset(), frozenset())


def planned(*covered: tuple[int, int] | None) -> Plan:
    return Plan(engine="e", slices=tuple(Slice(pages=each) for each in covered))


def test_each_page_is_as_far_as_the_slice_that_reads_it() -> None:
    found = page_status.statuses(planned((1, 2), None, (3, 3)), Slices(b"\x01", frozenset({2}), frozenset()))
    assert found == [{"page": 1, "status": "done"}, {"page": 2, "status": "done"}, {"page": 3, "status": "failed"}]


@pytest.mark.parametrize("covered", [[(1, 2**60)], [(1, MAX_PAGES)] * 20, [(1, 50), (51, 2**60)], [(2**60, 1)]])
def test_a_plan_of_pages_without_end_lists_as_many_as_there_may_be(covered: list[tuple[int, int]]) -> None:
    assert len(page_status.statuses(planned(*covered), NOTHING)) in (0, MAX_PAGES)
