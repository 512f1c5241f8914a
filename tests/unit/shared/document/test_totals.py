"""What each document adds to the totals of its tenant."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from shared.document.live_overlay import LiveOverlay
from shared.document.totals import STAGE_SECONDS, Counts, Totals, count, difference, without_old_days
from tests.support import document_facts as say

NOTHING = LiveOverlay()


def counts(*facts: Any) -> Counts:
    return count(say.fold(facts), NOTHING)


def test_a_new_document_is_unfinished_and_its_stages_wait() -> None:
    found = counts(say.uploaded())

    assert (found["documents"], found["unfinished"]) == (1, 1)
    assert Totals([found]).stages() == {("ocr", "pending"): 1, ("chunk", "pending"): 1, ("extract", "pending"): 1}


def test_nothing_is_counted_of_a_deleted_document() -> None:
    assert counts(say.uploaded(), say.deleted()) == {}


def test_a_failed_document_is_counted_by_its_code() -> None:
    found = Totals([counts(say.uploaded(), say.started("ocr"), say.given_up("ocr", final=True, error=say.BAD_PAGE))])

    assert found.failures() == {"corrupt_image": 1}
    assert found.unfinished == 0
    assert found.stages()["ocr", "failed"] == 1


def test_pages_belong_to_the_day_of_the_upload() -> None:
    found = Totals([counts(say.uploaded(), say.started("ocr"), say.planned("ocr", slices=7, pages=7))])

    assert found.pages(say.NOON.date()) == 7
    assert found.pages(date(2026, 3, 15)) == 0


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.1, 0), (0.2, 1), (1800.0, 10), (1801.0, 11)])
def test_a_stage_is_in_the_bucket_of_the_first_bound_that_it_did_not_pass(seconds: float, bucket: int) -> None:
    log = [
        say.uploaded(),
        say.started("ocr", when=10),
        say.planned("ocr", slices=1, when=10),
        say.done(0, "ocr", when=10),
        say.concluded("ocr", when=10 + seconds),
    ]

    took = Totals([counts(*log)]).stage_times()["ocr", "completed"]

    assert [n for n, number in enumerate(took.buckets) if number] == [bucket]
    assert len(took.buckets) == len(STAGE_SECONDS) + 1
    assert took.seconds == seconds


def test_differences_add_up_to_the_last_counts() -> None:
    log = [say.uploaded(), say.started("ocr"), say.planned("ocr", slices=2), say.deleted()]
    sums: Counter[str] = Counter()
    before: Counter[str] = Counter()
    for length in range(1, len(log) + 1):
        after = counts(*log[:length])
        sums.update(difference(before, after))
        before = Counter(dict(after))

        assert +sums == before


def test_days_before_yesterday_are_let_go() -> None:
    kept = without_old_days(
        {"pages/2026-03-12": 1, "pages/2026-03-13": 2, "pages/2026-03-14": 3, "bytes": 4, "unfinished": 0},
        date(2026, 3, 14),
    )

    assert kept == {"pages/2026-03-13": 2, "pages/2026-03-14": 3, "bytes": 4}
