"""Failed slices in a row: nothing of them is lost, and thousands that failed alike are a few bytes."""

import bson
from hypothesis import given
from hypothesis import strategies as st

from shared.document import failed_slices
from shared.document.stage_state import FailedSlice
from shared.events.document import Failure

AWAY = Failure(code="provider_unavailable", facts={"provider": "The service", "detail": "x" * 150}, retryable=True)


def of_page(page: int) -> Failure:
    return Failure(code="corrupt_image", facts={"page": page, "detail": "cut off"}, page=page)


def test_thousands_that_failed_alike_are_a_small_row() -> None:
    for error in (lambda page: AWAY, of_page):
        failed = {n: FailedSlice(error(n + 1), (n + 1, n + 1)) for n in range(5_000)}
        rows = failed_slices.to_rows(failed)
        assert len(bson.encode({"runs": rows})) < 1_000
        assert failed_slices.from_rows(rows) == failed


errors = st.builds(
    Failure,
    code=st.sampled_from(["a", "b"]),
    facts=st.dictionaries(
        st.sampled_from(["page", "detail"]), st.one_of(st.none(), st.integers(0, 4), st.booleans(), st.just("x"))
    ),
    page=st.one_of(st.none(), st.integers(1, 4)),
    retryable=st.booleans(),
)
slices = st.builds(
    lambda error, first, size: FailedSlice(error, (first, first + size - 1) if size else None),
    errors, st.integers(1, 4), st.integers(0, 2),
)  # fmt: skip


@given(st.dictionaries(st.integers(-2, 12), slices))
def test_nothing_is_lost_on_the_way(failed) -> None:
    assert failed_slices.from_rows(bson.decode(bson.encode({"r": failed_slices.to_rows(failed)}))["r"]) == failed


@given(st.integers(1, 60), st.data())
def test_runs_of_a_document_whose_pages_fail_in_any_order(count, data) -> None:
    failed = {
        n: FailedSlice(of_page(n + 1) if data.draw(st.booleans()) else AWAY, (n + 1, n + 1))
        for n in range(count)
        if data.draw(st.booleans())
    }
    assert failed_slices.from_rows(failed_slices.to_rows(failed)) == failed
