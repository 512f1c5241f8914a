"""A state as a row: and the same row without the fields that a row of before does not have."""

import pytest

from shared.document import codec
from shared.document.state import DocumentState
from tests.support.document_facts import BUSY, concluded, done, fold, given_up, planned, started, uploaded

BEGUN = (uploaded(), started(), planned(), done(0))


@pytest.mark.parametrize("state", [fold([uploaded()]), fold(BEGUN), fold([*BEGUN, given_up(error=BUSY)])])
def test_a_state_is_what_its_row_says(state: DocumentState) -> None:
    assert codec.from_row(codec.to_row(state)) == state


def test_a_row_that_lacks_a_field_of_today_is_the_same_as_one_that_has_its_default() -> None:
    row = codec.to_row(fold(BEGUN))
    before = {name: value for name, value in row.items() if name not in ("erased", "requests")}
    before["jobs"] = [{name: value for name, value in job.items() if name != "lost"} for job in row["jobs"]]
    assert codec.without_defaults(before) == codec.without_defaults(row)


def test_what_is_no_default_counts() -> None:
    facts = (*BEGUN, done(1), done(2), concluded())
    rows = [codec.without_defaults(codec.to_row(fold(facts[:n]))) for n in range(1, len(facts) + 1)]
    assert all(one != other for number, one in enumerate(rows) for other in rows[number + 1 :])
    assert "status" not in rows[0]
