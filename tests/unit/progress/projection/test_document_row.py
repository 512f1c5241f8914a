"""What is stored of a document, and that it comes back as it was."""

from datetime import UTC
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions

from services.progress.projection import document_row
from shared.document.upload_info import UploadInfo
from shared.events.document import CONCLUDE, PLAN, Progress
from tests.support.document_facts import (
    BAD_PAGE,
    at,
    cancel,
    cancelled,
    completed,
    concluded,
    deleted,
    done,
    erased,
    failed,
    given_up,
    lost,
    planned,
    requested,
    retry,
    scheduled,
    started,
    ticked,
    uploaded,
    whole,
)

AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)

BUSY_LIFE = [
    uploaded(), ticked(PLAN, 0.2), started(), failed(PLAN, plan=None), planned(slices=70, pages=70),
    ticked(3, 0.5, page=3), done(0, pages=(1, 1)), done(69, pages=(70, 70)), lost(4),
    failed(5, error=BAD_PAGE, pages=(6, 9)), ticked(7, 0.25),
]  # fmt: skip
RETRIED = [
    *BUSY_LIFE,
    failed(CONCLUDE),
    given_up(),
    scheduled(),
    requested(),
    started(attempt=2),
    cancel(),
    cancelled(),
    retry(),
]
PARTIAL = [
    uploaded(), started(), planned(), done(0), failed(1), failed(2), concluded(partial=True), *whole("chunk"),
    *whole("extract"), completed(),
]  # fmt: skip
DELETED = [*BUSY_LIFE, deleted(), erased()]


def projected(log, before=None, first=0):
    kept = before
    for offset, item in enumerate(log, first):
        taken = document_row.tick(kept, item) if isinstance(item, Progress) else document_row.take(kept, item, offset)
        kept = document_row.settle(taken)
    return kept


def through_the_database(kept):
    return bson.decode(bson.encode(document_row.to_row(kept, "k3f9")), AWARE)


@pytest.mark.parametrize("log", [BUSY_LIFE, RETRIED, PARTIAL, DELETED], ids=["busy", "retried", "partial", "deleted"])
def test_what_is_stored_comes_back_as_it_was_after_every_record(log) -> None:
    for length in range(1, len(log) + 1):
        kept = document_row.named(projected(log[:length]), UploadInfo("lease.pdf"))
        if kept.state.status == "deleted":
            kept = document_row.named(kept, UploadInfo())

        assert document_row.from_row(through_the_database(kept)) == kept


def test_a_fold_that_was_stored_and_loaded_goes_on_like_one_that_never_stopped() -> None:
    for cut in range(1, len(RETRIED)):
        loaded = document_row.from_row(through_the_database(projected(RETRIED[:cut])))

        assert projected(RETRIED[cut:], loaded, cut) == projected(RETRIED)


def test_a_fact_that_changes_nothing_is_noted_as_read() -> None:
    kept = projected([uploaded(), started()])
    again = document_row.take(kept, started(), 9)

    assert (again.offset, again.version, again.state) == (9, kept.version, kept.state)


def test_a_fact_about_an_unknown_document_leaves_nothing() -> None:
    assert document_row.take(None, started(), 0) is None


def test_the_version_that_readers_see_counts_facts_and_the_ticks_since() -> None:
    kept = projected([uploaded(), started(), planned(), ticked(0), ticked(0)])

    assert kept.version == 3_000_002
    assert document_row.take(kept, done(0), 9).version == 4_000_000


def test_a_row_holds_what_readers_and_deciders_look_for() -> None:
    row = document_row.to_row(document_row.named(projected(BUSY_LIFE), UploadInfo("lease.pdf")), "k3f9")

    assert (row["tenant"], row["deleted"], row["filename"]) == ("acme", False, "lease.pdf")
    assert row["view"]["epoch"] == "k3f9"
    assert row["view"]["filename"] == "lease.pdf"
    assert row["plans"] == {"ocr": "ocr-plan"}
    assert row["results"] == {}
    assert row["slices"]["ocr"] == {"done": b"\x01" + bytes(7) + b"\x20", "failed": [5], "running": [3, 7]}


def test_the_rows_results_follow_the_state() -> None:
    assert document_row.to_row(projected(PARTIAL), "e")["results"]["ocr"] == "ocr-result"


def test_the_slices_of_a_row_name_only_real_slices() -> None:
    kept = projected([uploaded(), started(), planned(), done(0), failed(CONCLUDE), ticked(CONCLUDE)])

    assert document_row.to_row(kept, "e")["slices"]["ocr"] == {"done": b"\x01", "failed": [], "running": []}


def test_of_a_deleted_document_only_its_end_is_left() -> None:
    row = document_row.to_row(document_row.named(projected(DELETED), UploadInfo("lease.pdf")), "k3f9")

    assert (row["deleted"], row["view"], row["filename"]) == (True, {"status": "deleted"}, "")
    assert document_row.stage_rows(projected(DELETED), row) == []


def test_a_job_has_a_row_of_its_own() -> None:
    kept = projected(
        [uploaded(), started(when=1), planned(), done(0), failed(1), failed(2), given_up(), scheduled(due=10)]
    )
    rows = dict(document_row.stage_rows(kept, document_row.to_row(kept, "e")))
    row = rows[f"{kept.state.document_id}/ocr"]

    assert len(rows) == 3
    assert {name: row[name] for name in ("type", "status", "percent", "attempt", "retry_count")} == {
        "type": "ocr", "status": "retrying", "percent": 33.3, "attempt": 1, "retry_count": 0,
    }  # fmt: skip
    assert (row["started_at"], row["completed_at"], row["next_attempt_at"]) == (at(1), None, at(10))
    assert row["error"]["code"] == "provider_unavailable"
    assert row["version"] == kept.version
