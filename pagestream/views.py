"""The answers of Pagestream as typed dictionaries. A server may add members: ignore those that are not named here.

Times are in ISO 8601, UTC, with a `Z`.
"""

from typing import Any, Literal, NotRequired, TypedDict

DocumentStatus = Literal[
    "uploaded", "processing", "processed", "completed", "failed", "retrying", "cancelling", "cancelled"
]
StageStatus = Literal["pending", "running", "retrying", "stalled", "failed", "cancelled", "completed"]
JobStatus = Literal["running", "stalled", "completed", "failed"]


class Message(TypedDict):
    """A sentence for people: a stable `code` with its parameters, and the sentence in English."""

    code: str
    params: dict[str, Any]
    text: str


class Error(TypedDict):
    """Why a document, a stage or a job failed, and what a person can do (`action`)."""

    code: str
    facts: NotRequired[dict[str, Any]]
    message: str
    stage: str | None
    page: int | None
    attempt: int | None
    retryable: bool
    action: str


class Estimate(TypedDict):
    """The seconds that are left, from `low` to `high`."""

    low: int
    high: int


class PageCounts(TypedDict):
    """Pages done of pages; `total` is None until they are counted, `failed` lists page numbers from 1."""

    total: int | None
    done: int
    failed: list[int]


class StageView(TypedDict):
    """One stage of a document."""

    status: StageStatus
    percent: float
    attempt: int
    retry_count: int
    started_at: str | None
    completed_at: str | None
    next_attempt_at: str | None
    message: Message
    error: Error | None


class DocumentView(TypedDict):
    """A document. `version` grows within an `epoch`; epochs are compared for equality only."""

    document_id: str
    filename: str
    batch: str | None
    tags: list[str]
    content_type: str
    bytes: int
    status: DocumentStatus
    percent: float
    partial: bool
    message: Message
    eta_seconds: Estimate | None
    pages: PageCounts
    stages: dict[str, StageView]
    error: Error | None
    epoch: str
    version: int
    uploaded_at: str
    updated_at: str
    completed_at: str | None


class JobView(TypedDict):
    """A standalone job."""

    job_id: str
    type: str
    title: str
    status: JobStatus
    percent: float
    message: Message
    eta_seconds: Estimate | None
    error: Error | None
    epoch: str
    version: int
    started_at: str
    updated_at: str
    completed_at: str | None


class Requested(TypedDict):
    """The request is in the log; `status` is that of the document before it."""

    document_id: str
    status: DocumentStatus


class Deleted(TypedDict):
    """The document is gone for every reader; its data is erased soon after."""

    document_id: str


class DocumentList(TypedDict):
    """Documents, newest first; `next_cursor` is None on the last page."""

    documents: list[DocumentView]
    next_cursor: str | None


class TimelineEvent(TypedDict):
    """One fact about a document. `summary` is a sentence in English; `code` and `params` are for translations."""

    event_id: str
    version: int
    offset: int
    type: str
    at: str
    stage: str | None
    attempt: int | None
    page: int | None
    summary: str
    code: str
    params: dict[str, Any]


class Timeline(TypedDict):
    """The facts about a document, in the order of the log."""

    events: list[TimelineEvent]
    next_cursor: str | None


class Chunk(TypedDict):
    """A part of the text that can be searched: `text[start:end]` of the document, on the pages from first to last."""

    index: int
    text: str
    pages: tuple[int, int]
    start: int
    end: int
    heading_path: list[str]


class ChunkPage(TypedDict):
    """Chunks in the order of the text."""

    chunks: list[Chunk]
    next_cursor: str | None


class Finding(TypedDict):
    """One value that is printed in the document, at `text[start:end]`; `confidence` is from 0 to 1.

    `value` is as printed; `normalized` is an ISO date, a plain decimal with a dot, an E.164 number, and so on.
    """

    field: str
    value: str
    normalized: str
    start: int
    end: int
    confidence: float
    method: str
    page: int
    currency: NotRequired[str | None]


class Warning(TypedDict):
    """What a reader of an extraction must know: a stable `code`, and a sentence in English."""

    code: str
    text: str


class Extraction(TypedDict):
    """What kind of document it is, and what was found in it."""

    document_type: str
    language: str
    title: str | None
    summary: str
    keywords: list[str]
    findings: list[Finding]
    warnings: list[Warning]
