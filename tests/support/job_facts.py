"""Facts and ticks of one standalone job, in as few words as a test can be read with."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.events.standalone_job import JobCompleted, JobFailed, JobProgress, JobStalled, JobStarted

JOB = "job-6f1c2b8e-6a53-4c36-9a3e-3f1f0d1f7b11"
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def say(fact: Any, claim: str = "1", when: float = 0, **fields: Any) -> Any:
    at = fields.pop("at", NOON + timedelta(seconds=when))
    return fact.claim(job_id=JOB, claim=claim, tenant="acme", at=at, producer="test", **fields)


def tick(percent: float | None = None, text: str | None = None, when: float = 0) -> JobProgress:
    said: dict[str, Any] = {"code": "job.said", "params": {"text": text}} if text else {}
    return JobProgress(job_id=JOB, tenant="acme", percent=percent, at=NOON + timedelta(seconds=when), **said)


STARTED = say(JobStarted, kind="import", silent_after=60)
COMPLETED = say(JobCompleted, when=9)
FAILED = say(JobFailed, when=9, code="quota", percent=40)


def silent(seconds: float) -> Any:
    return say(JobStalled, str(seconds), when=seconds + 60, heard_at=NOON + timedelta(seconds=seconds))
