"""The fold: what the log says of one document. Pure and total; the settled part of every document view.

`evolve` is a function of the log alone: no clock, no I/O. A fact that is not about the current attempt and plan, or
that comes too late, changes nothing; every such case is written out, so that silence is a decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal, assert_never

from shared.events import (
    CancelRequested,
    DocumentCancelled,
    DocumentCompleted,
    DocumentDeleted,
    DocumentErased,
    DocumentUploaded,
    Fact,
    Failure,
    OfStage,
    RetryRequested,
    RetryScheduled,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StageFact,
    StageFailed,
    StagePlanned,
    StageRequested,
    StageStarted,
    WorkerLost,
)

Status = Literal[
    "uploaded", "processing", "retrying", "processed", "completed", "failed", "cancelling", "cancelled", "deleted"
]
JobStatus = Literal["pending", "running", "retrying", "completed", "failed", "cancelled"]

TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class FailedSlice:
    """A slice without a result in this attempt; `pages` first and last where it is about pages."""

    error: Failure
    pages: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One stage of one document. `guess` is the stage's expected cost per page before it has planned, in seconds.

    `wanted`: a person's retry, or a changed input, asks for another attempt that nobody has requested yet.
    `planned_from` is the result of the stage before that the plan was made from.
    """

    stage: str
    guess: float
    status: JobStatus = "pending"
    attempt: int = 1
    wanted: bool = False
    plan: str | None = None
    planned_from: str | None = None
    slices: int = 0
    weight: float = 0.0
    done: int = 0  # bitmap of slice numbers
    done_weight: float = 0.0
    pages: int | None = None  # of the document, where this stage counted them
    pages_done: int = 0
    failed: Mapping[int, FailedSlice] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()  # slices whose worker disappeared, as the last word about them
    result: str | None = None
    partial: bool = False
    error: Failure | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What is settled about one document. `facts` counts the facts that changed it; `run` is 1 + a person's retries."""

    document_id: str
    tenant: str
    size: int
    media_type: str
    jobs: Mapping[str, Job]
    uploaded_at: datetime
    updated_at: datetime
    status: Status = "uploaded"
    run: int = 1
    facts: int = 1
    completed_at: datetime | None = None
    failed_stage: str | None = None
    cancel_too_late: bool = False
    erased: bool = False  # deleted, and nothing of it is stored any more
    requests: tuple[str, ...] = ()  # the people's retries that were taken up, by event id

    @property
    def version(self) -> int:
        """The version at rest; ticks add to it."""
        return self.facts * 1_000_000

    @property
    def partial(self) -> bool:
        """Whether some result lacks pieces."""
        return any(job.partial for job in self.jobs.values())

    def before(self, stage: str) -> Job | None:
        """The stage before `stage`, None for the first."""
        names = list(self.jobs)
        place = names.index(stage)
        return self.jobs[names[place - 1]] if place else None


def evolve(state: DocumentState | None, fact: Fact) -> DocumentState | None:
    """The state after `fact`; the same object where the fact changes nothing. None before the upload."""
    if state is None:
        return _uploaded(fact) if isinstance(fact, DocumentUploaded) else None
    after = _document(state, fact)
    if after is state:
        return state
    return replace(after, facts=state.facts + 1, updated_at=fact.at)


def _uploaded(fact: DocumentUploaded) -> DocumentState:
    return DocumentState(
        document_id=fact.document_id,
        tenant=fact.tenant,
        size=fact.size,
        media_type=fact.media_type,
        jobs={line.stage: Job(line.stage, line.weight) for line in fact.pipeline},
        uploaded_at=fact.at,
        updated_at=fact.at,
    )


def _document(state: DocumentState, fact: Fact) -> DocumentState:
    if state.status == "deleted":  # everything after it changes nothing but whether it is erased
        return replace(state, erased=True) if isinstance(fact, DocumentErased) and not state.erased else state
    match fact:
        case DocumentDeleted():
            return replace(state, status="deleted")
        case DocumentUploaded() | DocumentErased():
            return state
        case RetryRequested():
            return _retried(state, fact)
        case _ if state.status in TERMINAL:
            return state
        case CancelRequested():
            return state if state.status == "cancelling" else replace(state, status="cancelling")
        case DocumentCancelled():
            return _cancelled(state, fact) if state.status == "cancelling" else state
        case DocumentCompleted():
            return _completed(state, fact)
        case StageFact():
            return _stage(state, fact)
        case unreachable:
            assert_never(unreachable)


def _retried(state: DocumentState, fact: RetryRequested) -> DocumentState:
    reopens = state.status in ("failed", "cancelled") or (state.status == "completed" and state.partial)
    if not reopens or fact.event_id in state.requests:
        return state
    jobs = {stage: _reopened(state, job) for stage, job in state.jobs.items()}
    return replace(
        state,
        status="processing",
        run=state.run + 1,
        jobs=jobs,
        requests=(*state.requests, fact.event_id),
        completed_at=None,
        failed_stage=None,
        cancel_too_late=False,
    )


def _reopened(state: DocumentState, job: Job) -> Job:
    """A job of a new run: what is whole stays, what had its input is wanted again, the rest follows by itself."""
    if job.status == "completed" and not job.partial:
        return job
    before = state.before(job.stage)
    had_input = before is None or before.status == "completed"
    return replace(
        job, status="pending", wanted=had_input, error=None, due_at=None, completed_at=None, lost=frozenset()
    )


def _cancelled(state: DocumentState, fact: DocumentCancelled) -> DocumentState:
    jobs = {
        stage: job if job.status in ("completed", "failed") else replace(job, status="cancelled", due_at=None)
        for stage, job in state.jobs.items()
    }
    return replace(state, status="cancelled", jobs=jobs, completed_at=fact.at)


def _completed(state: DocumentState, fact: DocumentCompleted) -> DocumentState:
    done = all(job.status == "completed" for job in state.jobs.values())
    if fact.run != state.run or not done:
        return state
    return replace(state, status="completed", completed_at=fact.at, cancel_too_late=state.status == "cancelling")


def _stage(state: DocumentState, fact: OfStage) -> DocumentState:
    job = state.jobs.get(fact.stage)
    if job is None:
        return state  # a stage that is not in this document's pipeline
    before = state.before(fact.stage)
    after = _job(job, fact, before.result if before else None)
    if after is job:
        return state
    state = replace(state, jobs={**state.jobs, fact.stage: after})
    if isinstance(fact, StageCompleted):
        state = _input_changed(state, fact.stage)
    return _status(state, after)


def _input_changed(state: DocumentState, stage: str) -> DocumentState:
    """A later stage that worked on another result of `stage` is wanted again."""
    names = list(state.jobs)
    following = names[names.index(stage) + 1 :][:1]
    for name in following:
        job = state.jobs[name]
        if job.plan is not None and job.planned_from != state.jobs[stage].result:
            again = replace(job, status="pending", wanted=True, error=None, completed_at=None)
            return replace(state, jobs={**state.jobs, name: again})
    return state


def _status(state: DocumentState, changed: Job) -> DocumentState:
    if state.status == "cancelling":
        return state  # what is done is kept, and it is still cancelling
    statuses = {job.status for job in state.jobs.values()}
    if changed.status == "failed":
        return replace(state, status="failed", failed_stage=changed.stage, completed_at=changed.completed_at)
    if statuses == {"completed"}:
        return replace(state, status="processed")
    return replace(state, status="retrying" if "retrying" in statuses else "processing")


def _job(job: Job, fact: OfStage, input_now: str | None) -> Job:
    """The job after a fact about its stage; `input_now` is what the stage before has concluded by now."""
    current = fact.attempt == job.attempt and job.status not in ("completed", "failed")
    match fact:
        case StageRequested():
            return _requested(job, fact, input_now)
        case SliceCompleted():
            return _slice_done(job, fact)
        case RetryScheduled():
            follows = job.status == "retrying" and fact.attempt == job.attempt + 1
            return replace(job, due_at=fact.due_at) if follows and job.due_at is None else job
        case _ if not current:
            return job  # another attempt speaks, or the stage is concluded
        case StageStarted():
            if job.status == "running":
                return job
            return replace(job, status="running", wanted=False, started_at=fact.at)
        case StagePlanned():
            return _planned(job, fact, input_now)
        case SliceFailed():
            return _slice_failed(job, fact)
        case WorkerLost():
            known = fact.plan == job.plan and not _has(job, fact.slice)
            return replace(job, lost=job.lost | {fact.slice}) if known and fact.slice not in job.lost else job
        case StageCompleted():
            if fact.plan != job.plan:
                return job
            ended = replace(job, status="completed", result=fact.result, partial=fact.partial, completed_at=fact.at)
            return replace(ended, error=_first_error(job) if fact.partial else None, lost=frozenset())
        case StageFailed():
            status: JobStatus = "failed" if fact.final else "retrying"
            completed_at = fact.at if fact.final else None
            return replace(job, status=status, error=fact.error, completed_at=completed_at, lost=frozenset())
        case unreachable:
            assert_never(unreachable)


def _requested(job: Job, fact: StageRequested, input_now: str | None) -> Job:
    if fact.attempt <= job.attempt:
        return job
    job = replace(
        job, status="pending", attempt=fact.attempt, wanted=False, failed={}, lost=frozenset(), error=None,
        due_at=None, started_at=None, completed_at=None,
    )  # fmt: skip
    if job.planned_from != input_now:
        return replace(job, plan=None, slices=0, weight=0.0, done=0, done_weight=0.0, pages_done=0, result=None)
    return job


def _planned(job: Job, fact: StagePlanned, input_now: str | None) -> Job:
    if job.plan is not None:
        return job  # two planners raced: the first in the log counts
    return replace(
        job,
        status="running",
        plan=fact.plan,
        planned_from=input_now,
        slices=fact.slices,
        weight=fact.weight,
        pages=fact.page_count,
        started_at=job.started_at or fact.at,
    )


def _slice_done(job: Job, fact: SliceCompleted) -> Job:
    concluded = job.status in ("completed", "failed")
    if concluded or fact.plan != job.plan or _has(job, fact.slice):
        return job
    first, last = fact.pages or (1, 0)
    return replace(
        job,
        done=job.done | 1 << fact.slice,
        done_weight=job.done_weight + fact.weight,
        pages_done=job.pages_done + last - first + 1,
        failed={n: failed for n, failed in job.failed.items() if n != fact.slice},  # a result beats a failure
        lost=frozenset(),
    )


def _slice_failed(job: Job, fact: SliceFailed) -> Job:
    if fact.plan != job.plan or _has(job, fact.slice) or fact.slice in job.failed:
        return job
    failed = {**job.failed, fact.slice: FailedSlice(fact.error, fact.pages)}
    return replace(job, failed=failed, lost=job.lost - {fact.slice})


def _has(job: Job, number: int) -> bool:
    return number >= 0 and bool(job.done >> number & 1)


def _first_error(job: Job) -> Failure | None:
    return next((job.failed[number].error for number in sorted(job.failed)), None)
