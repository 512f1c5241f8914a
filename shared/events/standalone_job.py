"""Standalone jobs: any other long work that reports how far it is (`/v1/jobs`, a rebuild). Facts and their fold.

They share log, topics, states and socket with documents, under a `job_id` in place of a `document_id`. Pure and
total, like `shared.document.state`. What people wrote (a title, why it failed) is in no fact: a fact that is `worded`
has its words in the blob `<tenant>/<job_id>/<event_id>`, written before it.
"""

import re
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Self, assert_never
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.events.envelope import VERSIONS_PER_FACT, Envelope

JOB_ID: Final = r"^(job|rebuild)-[0-9a-z-]{4,56}$"  # never a document's id, so that either can be told by its looks
NAME: Final = r"^[a-z][a-z0-9_.-]{0,63}$"  # of a kind of job, of a reason: a word for programs, no text of people
ENDED: Final = frozenset({"completed", "failed"})

_NAMESPACE: Final = UUID("0b8fd0a6-55f4-4f2e-8a56-6c1f6f0e3f57")  # any fixed one


def is_job_id(key: str) -> bool:
    """Whether `key` names a standalone job."""
    return re.match(JOB_ID, key) is not None


def job_id_of(tenant: str, name: str) -> str:
    """The id of the job that `tenant` starts under an idempotency key: the same however often it is asked."""
    return f"job-{uuid5(_NAMESPACE, f'{tenant}/{name}')}"


class JobFact(Envelope):
    """A fact about one standalone job."""

    job_id: str = Field(pattern=JOB_ID)

    @classmethod
    def claim(cls, *, job_id: str, claim: str, **fields: Any) -> Self:
        """A fact whose id is derived from what it claims, so that appending it twice is appending it once."""
        event_id = uuid5(_NAMESPACE, f"{job_id}/{cls.__name__}/{claim}")
        return cls(type=cls.__name__, event_id=str(event_id), job_id=job_id, **fields)

    @property
    def key(self) -> str:
        """The job."""
        return self.job_id


class JobStarted(JobFact):
    """Work on the job begins. The worker sends a tick at least every `silent_after` seconds, if it is set."""

    type: Literal["JobStarted"]
    kind: str = Field(pattern=NAME)
    silent_after: float | None = Field(default=None, gt=0)
    worded: bool = False


class JobStalled(JobFact):
    """There was no sign of life after `heard_at` for longer than was promised."""

    type: Literal["JobStalled"]
    heard_at: AwareDatetime


class JobCompleted(JobFact):
    """It is done."""

    type: Literal["JobCompleted"]


class JobFailed(JobFact):
    """It ended without success, at `percent`, for the reason `code`."""

    type: Literal["JobFailed"]
    code: str = Field(pattern=NAME)
    percent: float = Field(ge=0, lt=100)
    worded: bool = False


OfJob = JobStarted | JobStalled | JobCompleted | JobFailed


class JobProgress(BaseModel):
    """A tick: how far it is (0..100) or None, and a message. Lives on the topic `progress`, never in the log."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str = Field(pattern=JOB_ID)
    tenant: str
    percent: float | None = Field(default=None, ge=0, le=100)
    code: str | None = None
    params: dict[str, str | int | float] = Field(default_factory=dict)
    at: AwareDatetime

    def followed_by(self, later: "JobProgress") -> "JobProgress":
        """Both ticks as one. Fields of the later tick win, fields that it omits stay, the percent never falls."""
        percents = [percent for percent in (self.percent, later.percent) if percent is not None]
        worded = later if later.code else self
        said = {"percent": max(percents, default=None), "code": worded.code, "params": worded.params}
        return later.model_copy(update=said)

    def encode(self) -> bytes:
        """The bytes of the record's value."""
        return self.model_dump_json().encode()


def decode_tick(value: bytes) -> JobProgress | None:
    """The tick in a record's value; None for anything else."""
    try:
        return JobProgress.model_validate_json(value)
    except ValidationError:
        return None


class JobState(NamedTuple):
    """What is settled about one job. `silent_since`: the sign of life after which it was found to have stalled."""

    job_id: str
    tenant: str
    kind: str
    silent_after: float | None
    started_at: datetime
    updated_at: datetime
    status: Literal["running", "completed", "failed"] = "running"
    facts: int = 1
    last_event: str = ""
    completed_at: datetime | None = None
    silent_since: datetime | None = None
    percent: float = 0.0  # where it ended
    code: str | None = None  # why it failed

    @property
    def version(self) -> int:
        """The version at rest; ticks add to it."""
        return self.facts * VERSIONS_PER_FACT


def evolve(state: JobState | None, fact: OfJob) -> JobState | None:
    """The state after `fact`; the same object where the fact changes nothing. None before the start."""
    if state is None:
        return _started(fact) if isinstance(fact, JobStarted) else None
    after = _after(state, fact)
    if after is state:
        return state
    return after._replace(facts=state.facts + 1, last_event=fact.event_id, updated_at=max(state.updated_at, fact.at))


def _started(fact: JobStarted) -> JobState:
    return JobState(
        job_id=fact.job_id,
        tenant=fact.tenant,
        kind=fact.kind,
        silent_after=fact.silent_after,
        started_at=fact.at,
        updated_at=fact.at,
        last_event=fact.event_id,
    )


def _after(state: JobState, fact: OfJob) -> JobState:
    if state.status in ENDED:
        return state
    match fact:
        case JobStarted():
            return state
        case JobStalled(heard_at=heard_at):
            return (
                state
                if state.silent_since and state.silent_since >= heard_at
                else state._replace(silent_since=heard_at)
            )
        case JobCompleted():
            return state._replace(status="completed", percent=100.0, completed_at=fact.at)
        case JobFailed():
            return state._replace(status="failed", percent=fact.percent, code=fact.code, completed_at=fact.at)
        case unreachable:
            assert_never(unreachable)
