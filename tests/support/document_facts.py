"""Facts for tests: what the services would say of one document, in as few words as a test can be read with."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from shared.document.state import DocumentState, evolve
from shared.events.document import (
    CancelRequested,
    DocumentCancelled,
    DocumentCompleted,
    DocumentDeleted,
    DocumentErased,
    DocumentUploaded,
    Fact,
    Failure,
    Progress,
    RetryRequested,
    RetryScheduled,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StageFailed,
    StagePlanned,
    StageRequested,
    StageStarted,
    WorkerLost,
)
from shared.events.pipeline import PIPELINE, StageLine

DOCUMENT = "6f1c2b8e-6a53-4c36-9a3e-3f1f0d1f7b11"
TENANT = "acme"
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)

LINES = tuple(StageLine(stage=line.stage, weight=line.weight) for line in PIPELINE)

BAD_PAGE = Failure(code="corrupt_image", facts={"detail": "cut off"})
BUSY = Failure(code="provider_unavailable", facts={"provider": "model", "detail": "503"}, retryable=True)


def fold(facts: Iterable[Fact]) -> DocumentState:
    """What the log says of the document."""
    state = None
    for fact in facts:
        state = evolve(state, fact)
    assert state
    return state


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def _of(kind: Any, claim: str, when: float, document: str, **fields: Any) -> Any:
    return kind.claim(document_id=document, claim=claim, tenant=TENANT, at=at(when), producer="test", **fields)


def uploaded(*, when: float = 0, document: str = DOCUMENT, tenant: str = TENANT, pipeline: Any = LINES) -> Any:
    return DocumentUploaded.claim(
        document_id=document, claim="1", tenant=tenant, at=at(when), producer="gateway",
        pipeline=tuple(pipeline), size=81_234, media_type="application/pdf",
    )  # fmt: skip


def started(stage: str = "ocr", attempt: int = 1, *, when: float = 1, document: str = DOCUMENT) -> Any:
    return _of(StageStarted, f"{stage}/{attempt}", when, document, stage=stage, attempt=attempt)


def planned(
    stage: str = "ocr", slices: int = 3, attempt: int = 1, *, plan: str | None = None, weight: float | None = None,
    pages: int | None = None, when: float = 2, document: str = DOCUMENT,
) -> Any:  # fmt: skip
    return _of(
        StagePlanned, f"{stage}/{attempt}/plan", when, document, stage=stage, attempt=attempt,
        plan=plan or f"{stage}-plan", slices=slices, weight=weight or float(slices), page_count=pages,
    )  # fmt: skip


def done(
    number: int, stage: str = "ocr", attempt: int = 1, *, plan: str | None = None, weight: float = 1.0,
    pages: tuple[int, int] | None = None, when: float = 3, document: str = DOCUMENT,
) -> Any:  # fmt: skip
    plan = plan or f"{stage}-plan"
    return _of(
        SliceCompleted, f"{stage}/{plan}/{number}", when, document, stage=stage, attempt=attempt, plan=plan,
        slice=number, weight=weight, pages=pages,
    )  # fmt: skip


def failed(
    number: int, stage: str = "ocr", attempt: int = 1, *, error: Failure = BUSY, plan: str | None = "",
    strike: int = 1, pages: tuple[int, int] | None = None, when: float = 3, document: str = DOCUMENT,
) -> Any:  # fmt: skip
    plan = f"{stage}-plan" if plan == "" else plan
    return _of(
        SliceFailed, f"{stage}/{attempt}/{plan}/{number}/{strike}", when, document, stage=stage, attempt=attempt,
        plan=plan, slice=number, error=error, strike=strike, pages=pages,
    )  # fmt: skip


def lost(
    number: int, stage: str = "ocr", attempt: int = 1, *, plan: str | None = "", strike: int = 1, when: float = 3
) -> Any:
    plan = f"{stage}-plan" if plan == "" else plan
    return _of(
        WorkerLost, f"{stage}/{attempt}/{plan}/{number}/{strike}", when, DOCUMENT, stage=stage, attempt=attempt,
        plan=plan, slice=number, strike=strike,
    )  # fmt: skip


def concluded(
    stage: str = "ocr", attempt: int = 1, *, plan: str | None = None, result: str | None = None,
    partial: bool = False, when: float = 4, document: str = DOCUMENT,
) -> Any:  # fmt: skip
    return _of(
        StageCompleted, f"{stage}/{attempt}", when, document, stage=stage, attempt=attempt,
        plan=plan or f"{stage}-plan", result=result or f"{stage}-result", partial=partial,
    )  # fmt: skip


def given_up(
    stage: str = "ocr", attempt: int = 1, *, final: bool = False, error: Failure = BUSY, when: float = 4,
    document: str = DOCUMENT,
) -> Any:  # fmt: skip
    return _of(
        StageFailed, f"{stage}/{attempt}", when, document, stage=stage, attempt=attempt, error=error, final=final
    )


def scheduled(stage: str = "ocr", attempt: int = 2, *, due: float = 10, error: Failure = BUSY, when: float = 5) -> Any:
    return _of(
        RetryScheduled, f"{stage}/{attempt}", when, DOCUMENT, stage=stage, attempt=attempt, due_at=at(due), error=error
    )


def requested(stage: str = "ocr", attempt: int = 2, *, run: int = 1, when: float = 10, document: str = DOCUMENT) -> Any:
    return _of(StageRequested, f"{run}/{stage}/{attempt}", when, document, stage=stage, attempt=attempt, run=run)


def completed(*, run: int = 1, when: float = 20, document: str = DOCUMENT) -> Any:
    return _of(DocumentCompleted, str(run), when, document, run=run)


def cancelled(*, run: int = 1, when: float = 20) -> Any:
    return _of(DocumentCancelled, str(run), when, DOCUMENT, run=run)


def retry(key: str = "retry-1", *, when: float = 30) -> Any:
    return _asked(RetryRequested, key, when)


def cancel(key: str = "cancel-1", *, when: float = 6) -> Any:
    return _asked(CancelRequested, key, when)


def deleted(key: str = "delete-1", *, when: float = 40) -> Any:
    return _asked(DocumentDeleted, key, when)


def erased(*, when: float = 41) -> Any:
    return _of(DocumentErased, "1", when, DOCUMENT)


def _asked(kind: Any, key: str, when: float) -> Any:
    return _of(kind, str(uuid5(UUID(DOCUMENT), key)), when, DOCUMENT)


def whole(stage: str, *, slices: int = 1, when: float = 5, document: str = DOCUMENT, **plan: Any) -> list[Any]:
    """A stage from its start to its end, nothing missing."""
    return [
        started(stage, when=when, document=document),
        planned(stage, slices, when=when, document=document, **plan),
        *(done(n, stage, when=when, document=document) for n in range(slices)),
        concluded(stage, when=when, document=document),
    ]


def ticked(
    number: int = 0, fraction: float = 0.5, stage: str = "ocr", attempt: int = 1, *, code: str = "ocr.reading_page",
    **params: Any,
) -> Progress:  # fmt: skip
    return Progress(
        document_id=DOCUMENT, tenant=TENANT, stage=stage, attempt=attempt, slice=number, fraction=fraction, code=code,
        params=params, at=at(3),
    )  # fmt: skip


# What the log may hold, by the status that follows
UPLOADED = [uploaded()]
RUNNING = [*UPLOADED, started(), planned(pages=3)]
PROCESSED = [*UPLOADED, *whole("ocr"), *whole("chunk"), *whole("extract")]
COMPLETED = [*PROCESSED, completed()]
RETRYING = [*RUNNING, done(0), failed(1), given_up()]
FAILED = [*RUNNING, failed(0, error=BAD_PAGE), given_up(final=True, error=BAD_PAGE)]
CANCELLING = [*RUNNING, done(0), cancel()]
CANCELLED = [*CANCELLING, cancelled()]
PARTIAL_OCR = [*RUNNING, done(0), done(1), failed(2, error=BAD_PAGE), concluded(partial=True, result="ocr-some")]
PARTIAL = [*PARTIAL_OCR, *whole("chunk"), *whole("extract"), completed()]
DELETED = [*RUNNING, deleted()]
