"""The answers of the HTTP interface as models: OpenAPI names them, and clients are generated from them.

A route returns a response whose bytes are ready, so FastAPI neither validates nor encodes it a second time. Tests hold
real answers to these models, field by field. A client must ignore fields that it does not know.
"""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from services.gateway.queries import page_status
from shared.results import Chunk, TextPage

StageStatus = Literal["pending", "running", "retrying", "stalled", "failed", "cancelled", "completed"]
DocumentStatus = Literal[
    "uploaded", "processing", "processed", "completed", "failed", "retrying", "cancelling", "cancelled"
]
JobStatus = Literal["running", "stalled", "completed", "failed"]


class Message(BaseModel):
    """A sentence for people: a stable `code` with its parameters, and the sentence in English."""

    code: str
    params: dict[str, Any]
    text: str


class Error(BaseModel):
    """Why a document, a stage or a job failed, and what a person can do."""

    code: str
    facts: dict[str, Any] = Field(default_factory=dict)
    message: str
    stage: str | None
    page: int | None
    attempt: int | None
    retryable: bool
    action: str


class Estimate(BaseModel):
    """The seconds that are left, from `low` to `high`."""

    low: int
    high: int


class PageCounts(BaseModel):
    """Pages done of pages; `total` is null until they are counted, `failed` lists page numbers."""

    total: int | None
    done: int
    failed: list[int]


class StageView(BaseModel):
    """One stage of a document."""

    status: StageStatus
    percent: float
    attempt: int
    retry_count: int
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    next_attempt_at: AwareDatetime | None
    message: Message
    error: Error | None


class DocumentView(BaseModel):
    """A document. Versions grow within an `epoch`; epochs are compared for equality only."""

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
    uploaded_at: AwareDatetime
    updated_at: AwareDatetime
    completed_at: AwareDatetime | None


class JobView(BaseModel):
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
    started_at: AwareDatetime
    updated_at: AwareDatetime
    completed_at: AwareDatetime | None


class DocumentList(BaseModel):
    """Documents, newest first; `next_cursor` is null on the last page."""

    documents: list[DocumentView]
    next_cursor: str | None


class JobList(BaseModel):
    """Standalone jobs, newest first."""

    jobs: list[JobView]
    next_cursor: str | None


class Accepted(BaseModel):
    """An upload is in the log; `duplicate` is true when these bytes were here already."""

    document_id: str
    duplicate: bool
    links: dict[str, str]


class Requested(BaseModel):
    """The request is in the log; `status` is that of the document before it."""

    document_id: str
    status: DocumentStatus


class Deleted(BaseModel):
    """The document is gone for every reader; its data is erased soon after."""

    document_id: str


class Started(BaseModel):
    """A standalone job has begun."""

    job_id: str
    links: dict[str, str]


class JobReported(BaseModel):
    """The report about the job is recorded."""

    job_id: str


class PageStatus(BaseModel):
    """How far one page is."""

    page: int
    status: page_status.Status


class PageList(BaseModel):
    """The pages of a document, from the first."""

    pages: list[PageStatus]


class DocumentText(BaseModel):
    """The text of a document and where in it each page stands."""

    document_id: str
    text: str
    pages: list[TextPage]


class ChunkPage(BaseModel):
    """Chunks in the order of the text."""

    chunks: list[Chunk]
    next_cursor: str | None


class TimelineEvent(BaseModel):
    """One fact about a document, with a sentence in English; `code` and `params` are for translations."""

    event_id: str
    version: int
    offset: int
    type: str
    at: AwareDatetime
    stage: str | None
    attempt: int | None
    page: int | None
    summary: str
    code: str
    params: dict[str, Any]


class Timeline(BaseModel):
    """The facts about a document, in the order of the log."""

    events: list[TimelineEvent]
    next_cursor: str | None


class SearchResult(BaseModel):
    """A chunk that matches. `highlights` are ranges of characters of `text`; `score` is above 0 and at most 1."""

    document_id: str
    filename: str
    index: int
    pages: tuple[int, int]
    start: int
    end: int
    text: str
    highlights: list[tuple[int, int]]
    score: float


class SearchResults(BaseModel):
    """Chunks by words and by meaning, best first; `complete` is false while older documents are still being indexed."""

    results: list[SearchResult]
    next_cursor: str | None
    complete: bool


class TokenCreated(BaseModel):
    """A new capability token. The secret `token` is never answered again."""

    token: str
    expires_at: AwareDatetime
    id: str


class Scope(BaseModel):
    """What a key or a token may do: `all` of its tenant, or one document or batch."""

    right: Literal["read", "control", "all"]
    document_id: str | None
    batch: str | None
    expires_at: AwareDatetime | None


class TokenEntry(Scope):
    """A token without its secret."""

    id: str


class TokenList(BaseModel):
    """Valid tokens, ordered by when they expire."""

    tokens: list[TokenEntry]
    next_cursor: str | None


class Worker(BaseModel):
    """A worker that is alive. `kept_network` is why its children have a network, "" where they have none."""

    name: str
    stage: str
    slots: int
    kept_network: str = ""
    expires_at: AwareDatetime


class StageCapacity(BaseModel):
    """The workers of one stage, their slots in total, and the slots that are busy."""

    workers: int
    slots: int
    busy: int


class Fold(BaseModel, extra="allow"):
    """A service's reader of the log; `lag` is in records. Which further members it has depends on the service.

    `halted` is the reason why it stands still; `silent` is true when it has not published for ten seconds.
    """

    name: str
    lag: int | None
    caught_up: bool
    halted: str | None
    at: AwareDatetime
    silent: bool


class Connections(BaseModel):
    """Open connections of the gateway that answers."""

    sockets: int
    streams: int


class System(BaseModel):
    """How the whole system is."""

    workers: list[Worker]
    stages: dict[str, StageCapacity]
    folds: list[Fold]
    lag: int
    circulating: int
    halted: list[str]
    failures: dict[str, int]
    parked: int
    connections: Connections
    epoch: str | None


class Health(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether the gateway can serve; each check is `ok` or a sentence."""

    ready: bool
    checks: dict[str, str]
