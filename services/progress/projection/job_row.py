"""One standalone job as the projection stores it: settled state, live overlay, and what readers are given. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from shared.document.messages import Message, message
from shared.document.percent import EVIDENCE_SECONDS, around
from shared.document.state import ALMOST
from shared.document.view import iso
from shared.error_catalog import describe
from shared.events.standalone_job import ENDED, JobProgress, JobStalled, JobState, OfJob, evolve

Row = dict[str, Any]

PRODUCER: Final = "sweeper"
_EVIDENCE_PERCENT: Final = 5.0


class JobLive(NamedTuple):
    """What ticks say: the highest percent so far, the latest message, the last sign of life."""

    heard_at: datetime
    ticks: int = 0
    percent: float = 0.0
    code: str | None = None
    params: Mapping[str, Any] = MappingProxyType({})


class JobRow(NamedTuple):
    """A job in one generation; `words` is what people wrote, `offset` the last record of the log that is in it."""

    state: JobState
    live: JobLive
    words: Mapping[str, str]
    offset: int

    @property
    def version(self) -> int:
        """The version that readers see."""
        return self.state.version + self.live.ticks

    @property
    def stalled(self) -> bool:
        """Whether it was found silent and has not been heard of since."""
        since = self.state.silent_since
        return self.state.status == "running" and since is not None and self.live.heard_at <= since

    @property
    def due(self) -> datetime | None:
        """When it will have been silent for longer than was promised."""
        if self.state.status in ENDED or self.state.silent_after is None or self.stalled:
            return None
        return self.live.heard_at + timedelta(seconds=self.state.silent_after)


def take(before: JobRow | None, fact: OfJob, offset: int) -> JobRow | None:
    """The projection after a fact; the fact's offset is noted even where it changes nothing else."""
    state = evolve(before.state if before else None, fact)
    if state is None:
        return None
    if before is None:
        return JobRow(state, JobLive(state.started_at), {}, offset)
    live = before.live if state is before.state else before.live._replace(ticks=0)
    return before._replace(state=state, live=live, offset=offset)


def worded(before: JobRow, words: Mapping[str, str]) -> JobRow:
    """The projection with words that belong to its last fact."""
    return before._replace(words={**before.words, **words})


def tick(before: JobRow, progress: JobProgress) -> JobRow:
    """The projection after a tick; the percent never falls, and the same where the tick comes too late."""
    if before.state.status in ENDED:
        return before
    live = before.live
    code, params = (progress.code, progress.params) if progress.code else (live.code, live.params)
    percent = max(live.percent, min(ALMOST, round(progress.percent or 0.0, 1)))
    return before._replace(live=JobLive(max(live.heard_at, progress.at), live.ticks + 1, percent, code, params))


def stalled(projection: JobRow, now: datetime) -> JobStalled:
    """The fact that nothing has been heard of the job."""
    state, heard_at = projection.state, projection.live.heard_at
    return JobStalled.claim(
        job_id=state.job_id,
        claim=heard_at.isoformat(),
        tenant=state.tenant,
        cause=state.last_event,
        at=now,
        producer=PRODUCER,
        heard_at=heard_at,
    )


def marks(projection: JobRow) -> Row:
    """What is looked for among many rows."""
    return {"unfinished": projection.state.status not in ENDED}


def to_row(projection: JobRow, epoch: str) -> Row:
    """The row of the collection `jobs`."""
    state = projection.state
    return {
        "tenant": state.tenant,
        "started_at": state.started_at,
        "version": projection.version,
        "view": render(projection, epoch),
        "due": projection.due,
        **marks(projection),
        "offset": projection.offset,
        "words": dict(projection.words),
        "settled": state._asdict(),
        "live": {**projection.live._asdict(), "params": dict(projection.live.params)},
    }


def from_row(row: Row) -> JobRow:
    """The projection of a stored row."""
    return JobRow(JobState(**row["settled"]), JobLive(**row["live"]), row["words"], row["offset"])


def render(projection: JobRow, epoch: str) -> Row:
    """The job view: what people and programs see."""
    state = projection.state
    eta = _eta(projection)
    return {
        "job_id": state.job_id,
        "type": state.kind,
        "title": projection.words.get("title", ""),
        "status": "stalled" if projection.stalled else state.status,
        "percent": state.percent if state.status in ENDED else projection.live.percent,
        "message": _message(projection),
        "eta_seconds": {"low": eta[0], "high": eta[1]} if eta else None,
        "error": _error(projection),
        "epoch": epoch,
        "version": projection.version,
        "started_at": iso(state.started_at),
        "updated_at": iso(max(state.updated_at, projection.live.heard_at)),
        "completed_at": iso(state.completed_at),
    }


def _eta(projection: JobRow) -> tuple[int, int] | None:
    """Low and high estimate of the seconds left, None without evidence."""
    live = projection.live
    observed = (live.heard_at - projection.state.started_at).total_seconds()
    ended = projection.state.status in ENDED or projection.stalled
    if ended or observed < EVIDENCE_SECONDS or live.percent < _EVIDENCE_PERCENT:
        return None
    left = observed * (100.0 - live.percent) / live.percent
    return around(left)


def _message(projection: JobRow) -> Message:
    state, live = projection.state, projection.live
    if state.status == "completed":
        return message("job.completed")
    if error := _error(projection):
        return message("job.failed", reason=error["message"])
    if projection.stalled:
        return message("job.silent", seconds=round(state.silent_after or 0))
    return message(live.code, **live.params) if live.code else message("job.started")


def _error(projection: JobRow) -> Row | None:
    """In the shape of a document's error; the worker's own words win over the catalogue's."""
    state, words = projection.state, projection.words
    if state.code is None:
        return None
    sentence, action = describe(state.code, {})
    return {
        "code": state.code,
        "message": words.get("message") or sentence,
        "stage": None,
        "page": None,
        "attempt": 1,
        "retryable": False,
        "action": words.get("action") or action,
    }
