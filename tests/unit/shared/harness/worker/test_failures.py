"""What went wrong with a work item: every error, however odd, is a failure that a fact can carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Rejected, Transient
from shared.events.document import CONCLUDE, MAX_BYTES, PLAN
from shared.harness.sandbox.pool import ChildFailed, Crashed
from shared.harness.work_item import WorkItem
from shared.harness.worker import failures
from shared.storage.blobs import BlobDamaged, BlobMissing


def item(number=0, repeats=0):
    return WorkItem(
        document_id="d", tenant="t", stage="s", attempt=1 + repeats, repeats=repeats, plan="p", slice=number,
        opens=False, inputs={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (Rejected("encrypted"), "encrypted", False),
        (Transient("provider_unavailable"), "provider_unavailable", True),
        (Crashed("crashed", detail="SIGSEGV"), "crashed", True),
        (BlobMissing("x"), "result_missing", True),
        (BlobDamaged("x"), "result_missing", True),
        (ChildFailed("Traceback"), "internal", True),
        (KeyError("page"), "internal", True),
        (OSError(5, "bad sector"), "internal", True),
    ],
)
def test_every_error_has_its_code(error, code: str, retryable: bool) -> None:
    failure = failures.of(error, item())

    assert (failure.code, failure.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("number", "repeats", "retryable"), [(PLAN, 0, True), (PLAN, 1, False), (0, 5, True), (CONCLUDE, 1, True)]
)
def test_a_plan_that_times_out_is_tried_once_more_and_no_other_step_is_given_up_for_it(
    number, repeats: int, retryable: bool
) -> None:
    assert failures.of(Crashed("timeout", what="The plan step", limit=30), item(number, repeats)).retryable == retryable


def test_a_plan_that_fails_otherwise_is_tried_as_often_as_any_step() -> None:
    assert failures.of(Crashed("crashed", detail="SIGSEGV"), item(PLAN, 2)).retryable


def test_a_wait_that_nobody_would_live_to_see_is_cut() -> None:
    assert failures.of(Transient("provider_unavailable", retry_after=1e300), item()).retry_after == 86_400
    assert failures.of(Transient("provider_unavailable", retry_after=-5), item()).retry_after == 0


ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()) | st.binary()


@given(code=ODD, facts=st.dictionaries(st.text(), ODD, max_size=40), wait=ODD)
def test_whatever_a_child_says_becomes_a_failure_that_fits_into_a_fact(code, facts, wait) -> None:
    error = Transient.__new__(Transient)
    error.code, error.facts, error.retry_after = code, facts, wait
    failure = failures.of(error, item())

    assert len(failure.model_dump_json()) < MAX_BYTES / 2
    assert all(abs(value) <= 2**53 for value in failure.facts.values() if isinstance(value, int | float))
    assert all(name.isidentifier() for name in failure.facts)
