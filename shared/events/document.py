"""The facts of the log: one frozen model each, an envelope around each, ids derived from what each claims.

A fact carries its outcome, never a delta, so applying it twice changes nothing. No fact holds user content: names,
text and findings live in blobs. Two processes that come to the same conclusion derive the same `event_id`.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID, uuid5

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypeIs

from shared.events.envelope import Envelope
from shared.events.pipeline import StageLine
from shared.events.standalone_job import JobFact, JobProgress, OfJob, decode_tick

PLAN: Final = -1  # the slice number of planning itself
CONCLUDE: Final = -2  # the slice number of concluding
MAX_BYTES: Final = 64 * 1024  # of one encoded fact


class Failure(BaseModel):
    """Why a work item failed: a code of the catalogue, the facts of its sentence, and whether a retry may help."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    facts: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    retryable: bool = False
    retry_after: float | None = None  # seconds
    page: int | None = None


class DocumentFact(Envelope):
    """A fact about one document."""

    document_id: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

    @classmethod
    def claim(cls, *, document_id: str, claim: str, **fields: Any) -> Self:
        """A fact whose id is derived from what it claims, so that appending it twice is appending it once."""
        event_id = uuid5(UUID(document_id), f"{cls.__name__}/{claim}")
        return cls(type=cls.__name__, event_id=str(event_id), document_id=document_id, **fields)

    @property
    def key(self) -> str:
        """The document."""
        return self.document_id


class DocumentUploaded(DocumentFact):
    """A document is in the store; the pipeline it runs is fixed here."""

    type: Literal["DocumentUploaded"]
    pipeline: tuple[StageLine, ...] = Field(min_length=1)
    size: int  # bytes
    media_type: str  # as found by content


class StageFact(DocumentFact):
    """A fact about one attempt of one stage. Attempts count up over the whole life of the document."""

    stage: str
    attempt: int = Field(ge=1)


class StageStarted(StageFact):
    """A worker took the first slice of this attempt."""

    type: Literal["StageStarted"]


class StagePlanned(StageFact):
    """What there is to do: `slices` slices of together `weight` seconds; the list itself is the plan's blob.

    `followed_by` counts the facts that its worker appends right behind it: of slices from the first on, then of the
    conclusion. A coordinator waits for them instead of sending these slices.
    """

    type: Literal["StagePlanned"]
    plan: str
    slices: int = Field(ge=1)
    weight: float
    page_count: int | None = None
    followed_by: int | None = None

    def done_at_once(self) -> Iterator[int]:
        """The numbers of the slices, and CONCLUDE behind them, whose facts follow."""
        return islice(chain(range(self.slices), (CONCLUDE,)), self.followed_by or 0)


class SliceFact(StageFact):
    """A fact about one slice of a plan. `slice` may be PLAN or CONCLUDE, `plan` is None while there is none."""

    plan: str | None = None
    slice: int


class SliceCompleted(SliceFact):
    """A slice's result is in the store."""

    type: Literal["SliceCompleted"]
    weight: float
    pages: tuple[int, int] | None = None


class SliceFailed(SliceFact):
    """A slice ended without a result in this attempt."""

    type: Literal["SliceFailed"]
    error: Failure
    strike: int
    pages: tuple[int, int] | None = None


class WorkerLost(SliceFact):
    """The lease of a slice expired without an end; `strike` counts the claims of the slice in this attempt."""

    type: Literal["WorkerLost"]
    strike: int


class StageCompleted(StageFact):
    """The stage's result is in the store under `result`; `partial` when slices are missing from it."""

    type: Literal["StageCompleted"]
    plan: str
    result: str
    partial: bool = False


class StageFailed(StageFact):
    """The attempt ended without a result. `final`: only a person can request another attempt."""

    type: Literal["StageFailed"]
    error: Failure
    final: bool


class RetryScheduled(StageFact):
    """The next attempt (`attempt`) is due at `due_at`."""

    type: Literal["RetryScheduled"]
    due_at: AwareDatetime
    error: Failure


class StageRequested(StageFact):
    """Run the stage as attempt `attempt`; slices of the same plan that are done stay done."""

    type: Literal["StageRequested"]
    run: int


class DocumentCompleted(DocumentFact):
    """Every stage is done and every result can be fetched."""

    type: Literal["DocumentCompleted"]
    run: int


class DocumentCancelled(DocumentFact):
    """Nothing works on the document any more."""

    type: Literal["DocumentCancelled"]
    run: int


class RetryRequested(DocumentFact):
    """A person asks to try again what failed or is missing."""

    type: Literal["RetryRequested"]


class CancelRequested(DocumentFact):
    """A person asks to stop."""

    type: Literal["CancelRequested"]


class DocumentDeleted(DocumentFact):
    """A person asks to erase the document; from here on it does not exist for anyone."""

    type: Literal["DocumentDeleted"]


class DocumentErased(DocumentFact):
    """Blobs and projections of the document are gone."""

    type: Literal["DocumentErased"]


OfStage = (
    StageStarted
    | StagePlanned
    | SliceCompleted
    | SliceFailed
    | WorkerLost
    | StageCompleted
    | StageFailed
    | RetryScheduled
    | StageRequested
)
Fact = (
    OfStage
    | DocumentUploaded
    | DocumentCompleted
    | DocumentCancelled
    | RetryRequested
    | CancelRequested
    | DocumentDeleted
    | DocumentErased
)

Record = Fact | OfJob  # whatever the log holds

_OF_JOB: Final = frozenset(OfJob.__args__)

VERSIONS: Final[dict[str, int]] = {fact.__name__: fact.model_fields["version"].default for fact in Record.__args__}
# (type, version) -> a pure function from that version's JSON to the next version's
UPCASTERS: Final[dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]]] = {}

_FACTS: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="type")])
_ENVELOPE: TypeAdapter[DocumentFact | JobFact] = TypeAdapter(DocumentFact | JobFact)


def is_of_job(fact: Record) -> TypeIs[OfJob]:
    """Whether a fact is about a standalone job; by its exact type, for each record of a replay is asked this."""
    return type(fact) in _OF_JOB


class NotAnEnvelope(ValueError):
    """The bytes are no envelope: skipped by every fold, parked once by the live projector."""


class UnknownFact(ValueError):
    """An envelope whose type or version this code does not know: a fold halts here and never skips."""

    def __init__(self, kind: str, version: int, detail: str = "") -> None:
        super().__init__(f"this code does not know {kind} version {version}; it needs a newer release {detail}".strip())
        self.kind = kind
        self.version = version


def decode(value: bytes | None) -> Record:
    """The fact in a record's value.

    Raises NotAnEnvelope or UnknownFact.
    """
    if value is None:
        raise NotAnEnvelope("an empty record")
    try:
        fact = _FACTS.validate_json(value)
        if fact.version == VERSIONS[fact.type]:
            return fact
    except ValidationError:
        pass
    return _decode_carefully(value)


def _decode_carefully(value: bytes) -> Record:
    try:
        raw = orjson.loads(value)
        envelope = _ENVELOPE.validate_python(raw)
    except (orjson.JSONDecodeError, ValidationError) as error:
        raise NotAnEnvelope(str(error).splitlines()[0]) from None
    kind, version = envelope.type, envelope.version
    while upcast := UPCASTERS.get((kind, version)):
        raw = upcast(raw)
        version += 1
    if VERSIONS.get(kind) != version:
        raise UnknownFact(kind, envelope.version)
    try:
        return _FACTS.validate_python(raw | {"version": version})
    except ValidationError as error:
        raise UnknownFact(kind, version, f"({error.errors()[0]['msg']})") from None


class Progress(BaseModel):
    """A tick: how far the slice in hand is. Lives on the topic `progress`, never in the log."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    document_id: str
    tenant: str
    stage: str
    attempt: int
    slice: int
    fraction: float = Field(ge=0, le=1)
    code: str
    params: dict[str, str | int | float] = Field(default_factory=dict)
    at: datetime

    def encode(self) -> bytes:
        """The bytes of the record's value."""
        return self.model_dump_json().encode()


def decode_progress(value: bytes | None) -> Progress | JobProgress:
    """The tick in a record's value; raises NotAnEnvelope."""
    try:
        return Progress.model_validate_json(value or b"")
    except ValidationError as error:
        if tick := decode_tick(value or b""):
            return tick
        raise NotAnEnvelope(str(error).splitlines()[0]) from None


def utcnow() -> datetime:
    """The wall clock of the shells, in milliseconds, which is what the database keeps; cores are given the time."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
