"""The document view: every field of the API, and the words people read."""

import pytest

from shared.document import live_overlay, view
from shared.document.live_overlay import LiveOverlay
from shared.document.upload_info import UploadInfo
from shared.events.document import CONCLUDE, PLAN, Failure
from tests.support.document_facts import (
    BAD_PAGE,
    BUSY,
    DOCUMENT,
    cancel,
    cancelled,
    completed,
    concluded,
    done,
    failed,
    fold,
    given_up,
    lost,
    planned,
    requested,
    scheduled,
    started,
    ticked,
    uploaded,
    whole,
)

RUNNING = [uploaded(), started(), planned(pages=40, slices=40)]
PROCESSED = [uploaded(), *whole("ocr", slices=2, pages=2), *whole("chunk"), *whole("extract")]
PARTIAL_OCR = [
    uploaded(), started(), planned(slices=3, pages=3), done(0, pages=(1, 1)), done(1, pages=(2, 2)),
    failed(2, error=BAD_PAGE, pages=(3, 3)), concluded(partial=True),
]  # fmt: skip
PARTIAL = [*PARTIAL_OCR, *whole("chunk"), *whole("extract"), completed()]


def shown(log, overlay=None):
    return view.render(
        fold(log), overlay or LiveOverlay(), info=UploadInfo("lease.pdf", "May", ("rent",)), epoch="k3f9"
    )


def said(log, overlay=None):
    return shown(log, overlay)["message"]["text"]


def holding(log, *ticks):
    overlay = LiveOverlay()
    for tick in ticks:
        overlay = live_overlay.tick(overlay, fold(log), tick)
    return overlay


def test_the_view_of_a_document_in_the_middle_of_its_work() -> None:
    log = [*RUNNING, *(done(n, pages=(n + 1, n + 1), when=3 + n) for n in range(17))]

    assert shown(log, holding(log, ticked(17, 0.0))) == {
        "document_id": DOCUMENT,
        "filename": "lease.pdf",
        "batch": "May",
        "tags": ["rent"],
        "content_type": "application/pdf",
        "bytes": 81_234,
        "status": "processing",
        "percent": 35.4,
        "partial": False,
        "message": {"code": "ocr.pages_done", "params": {"done": 17, "total": 40}, "text": "Recognised page 17 of 40"},
        "eta_seconds": {"low": 26, "high": 46},
        "pages": {"total": 40, "done": 17, "failed": []},
        "stages": {
            "ocr": {
                "status": "running",
                "percent": 42.5,
                "attempt": 1,
                "retry_count": 0,
                "started_at": "2026-03-14T12:00:01.000Z",
                "completed_at": None,
                "next_attempt_at": None,
                "message": {
                    "code": "ocr.pages_done",
                    "params": {"done": 17, "total": 40},
                    "text": "Recognised page 17 of 40",
                },
                "error": None,
            },
            "chunk": _waiting(),
            "extract": _waiting(),
        },
        "error": None,
        "epoch": "k3f9",
        "version": 20_000_001,
        "uploaded_at": "2026-03-14T12:00:00.000Z",
        "updated_at": "2026-03-14T12:00:19.000Z",
        "completed_at": None,
    }


def _waiting():
    return {
        "status": "pending",
        "percent": 0.0,
        "attempt": 1,
        "retry_count": 0,
        "started_at": None,
        "completed_at": None,
        "next_attempt_at": None,
        "message": {"code": "stage.waiting", "params": {}, "text": "Waiting for the stage before"},
        "error": None,
    }


def test_a_completed_document() -> None:
    seen = shown([*PROCESSED, completed(when=20)])

    assert (seen["status"], seen["percent"], seen["partial"]) == ("completed", 100.0, False)
    assert seen["completed_at"] == "2026-03-14T12:00:20.000Z"
    assert {stage["percent"] for stage in seen["stages"].values()} == {100.0}
    assert seen["message"]["code"] == "document.completed"


def test_a_partial_document_says_what_is_missing_and_why() -> None:
    seen = shown(PARTIAL)

    assert (seen["status"], seen["partial"]) == ("completed", True)
    assert seen["pages"] == {"total": 3, "done": 2, "failed": [3]}
    assert seen["message"]["text"] == "Done, except for 1 pieces"
    assert seen["error"] == {
        "code": "corrupt_image",
        "facts": {"detail": "cut off"},
        "message": "The image is damaged: cut off.",
        "stage": "ocr",
        "page": 3,
        "attempt": 1,
        "retryable": False,
        "action": "Save it again, or scan the page anew.",
    }


def test_a_failed_document_names_the_error_and_what_to_do() -> None:
    log = [uploaded(), started(), failed(PLAN, plan=None, error=BUSY), given_up(final=True, error=BUSY, when=9)]
    seen = shown(log)

    assert seen["status"] == "failed"
    assert seen["completed_at"] == "2026-03-14T12:00:09.000Z"
    assert seen["message"]["text"] == "Failed: model does not answer: 503."
    assert seen["error"] == seen["stages"]["ocr"]["error"]
    assert (seen["error"]["code"], seen["error"]["stage"], seen["error"]["page"]) == (
        "provider_unavailable",
        "ocr",
        None,
    )
    assert seen["error"]["retryable"] is True


def test_an_error_that_knows_its_page_names_it() -> None:
    error = Failure(code="corrupt_pdf", facts={"detail": "x"}, page=7)

    assert shown([uploaded(), started(), given_up(final=True, error=error)])["error"]["page"] == 7


def test_a_stage_that_waits_for_its_retry_says_when_and_why() -> None:
    stage = shown([*RUNNING, failed(0), given_up(), scheduled(due=10)])["stages"]["ocr"]

    assert stage["status"] == "retrying"
    assert stage["next_attempt_at"] == "2026-03-14T12:00:10.000Z"
    assert stage["message"]["text"] == "Attempt 2 follows by itself: model does not answer: 503."
    assert stage["message"]["params"]["due_at"] == stage["next_attempt_at"]


def test_a_second_attempt_is_one_retry() -> None:
    stage = shown([*RUNNING, failed(0), given_up(), scheduled(), requested(), started(attempt=2)])["stages"]["ocr"]

    assert (stage["attempt"], stage["retry_count"]) == (2, 1)


def test_a_stage_is_stalled_while_a_lost_worker_is_the_last_word_about_it() -> None:
    log = [*RUNNING, lost(3)]

    assert shown(log)["stages"]["ocr"]["status"] == "stalled"
    assert shown(log)["stages"]["ocr"]["message"]["code"] == "worker.lost"
    assert shown(log, holding(log, ticked(3)))["stages"]["ocr"]["status"] == "running"
    assert shown([*log, done(4)])["stages"]["ocr"]["status"] == "running"


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ([uploaded()], "Waiting for a free worker"),
        ([uploaded(), started()], "Looking at what there is to do"),
        (RUNNING, "Recognised page 0 of 40"),
        ([*RUNNING, cancel()], "Stopping"),
        ([*RUNNING, cancel(), cancelled()], "Stopped"),
        ([uploaded(), started(), planned(slices=1), done(0)], "Putting the pieces together"),
        ([uploaded(), *whole("ocr")], "Waiting for a free worker"),
        ([uploaded(), *whole("ocr"), started("chunk"), planned("chunk", 5), done(0, "chunk")], "1 of 5 pieces done"),
        (PROCESSED, "Every stage is done, storing the results"),
        ([*PROCESSED, cancel(), completed()], "Done: it had finished before it could be stopped"),
    ],
)
def test_the_sentence_that_people_read(log, text: str) -> None:
    assert said(log) == text


def test_where_there_is_only_one_slice_its_own_words_are_shown() -> None:
    log = [uploaded(), *whole("ocr"), started("chunk"), planned("chunk", 1)]
    tick = ticked(0, 0.5, "chunk", code="chunk.embedding", done=32, total=64)

    assert said(log, holding(log, tick)) == "Embedding chunk 32 of 64"


def test_while_a_provider_keeps_us_waiting_people_are_told_so_and_not_how_many_pages() -> None:
    log = [*RUNNING, done(0, pages=(1, 1))]
    waiting = ticked(1, 0.0, code="ocr.waiting_for_provider", provider="ocr.example", seconds=30)

    assert said(log, holding(log, ticked(2, 0.0), waiting)) == "Waiting for ocr.example, which reads the pages"
    assert said([*log, done(1, pages=(2, 2))]) == "Recognised page 2 of 40"


def test_who_waits_for_space_says_so_also_while_it_plans() -> None:
    log = [uploaded(), started("ocr")]
    waiting = ticked(PLAN, 1.0, code="stage.waiting_for_space")

    assert said(log, holding(log, waiting)) == "Waiting for space: the disk is full"


def test_a_failure_to_conclude_does_not_count_as_a_missing_slice() -> None:
    log = [
        *PARTIAL_OCR[:-1],
        failed(CONCLUDE),
        concluded(partial=True),
        *whole("chunk"),
        *whole("extract"),
        completed(),
    ]

    assert said(log) == "Done, except for 1 pieces"


def test_pages_are_unknown_until_a_stage_has_counted_them() -> None:
    assert shown([uploaded()])["pages"] == {"total": None, "done": 0, "failed": []}


def test_a_failed_slice_of_several_pages_names_all_of_them() -> None:
    assert shown([*RUNNING, failed(3, pages=(5, 8))])["pages"]["failed"] == [5, 6, 7, 8]
