"""The policy: what happens when a document does not move by itself. Pure and level-triggered.

`decide` looks at one settled state and the time and says which facts follow. Called again in the same state it says
the same facts with the same ids.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from shared.document.stage_state import StageState
from shared.document.state import DocumentState
from shared.events.document import (
    DocumentCancelled,
    DocumentCompleted,
    DocumentErased,
    Fact,
    RetryScheduled,
    StageRequested,
)

PRODUCER: Final = "policy"
ERASER: Final = "eraser"
BASE_SECONDS: Final = 2.0  # before the second attempt; doubles with each further one
CAP_SECONDS: Final = 300.0


def decide(state: DocumentState, now: datetime, *, stored: bool, at_work: bool) -> Iterator[Fact]:
    """The facts that are due.

    `stored`: every result of the document is where its endpoints read it. `at_work`: somebody holds a live lease.
    """
    match state.status:
        case "processed" if stored:
            yield DocumentCompleted.claim(claim=str(state.run), run=state.run, **_about(state, now))
        case "cancelling" if not at_work:
            yield DocumentCancelled.claim(claim=str(state.run), run=state.run, **_about(state, now))
        case "deleted" if not state.erased and not at_work:
            yield DocumentErased.claim(claim="1", **{**_about(state, now), "producer": ERASER})
        case "processing" | "retrying":
            for job in state.jobs.values():
                yield from _job(state, job, now)
        case _:
            return


def delay(state: DocumentState, job: StageState) -> float:
    """Seconds until the next attempt: exponential within the run, jittered, capped, and as long as was asked for.

    The jitter is drawn from the document and attempt, so that everyone who computes it comes to the same moment.
    """
    assert job.error
    exponential = min(CAP_SECONDS, BASE_SECONDS * float(2 ** min(job.attempt - job.first_attempt, 30)))
    draw = random.Random(uuid5(UUID(state.document_id), f"{job.stage}/{job.attempt}").int).uniform(0.5, 1.0)
    return max(exponential * draw, job.error.retry_after or 0.0)


def _job(state: DocumentState, job: StageState, now: datetime) -> Iterator[Fact]:
    if job.status == "retrying" and job.due_at is None:
        assert job.error
        yield RetryScheduled.claim(
            claim=f"{job.stage}/{job.attempt + 1}",
            stage=job.stage,
            attempt=job.attempt + 1,
            error=job.error,
            due_at=now + timedelta(milliseconds=round(delay(state, job) * 1000)),
            **_about(state, now),
        )
    elif (job.status == "retrying" and job.due_at and job.due_at <= now) or (
        job.wanted and state.is_turn_of(job.stage)
    ):
        yield StageRequested.claim(
            claim=f"{state.run}/{job.stage}/{job.attempt + 1}",
            stage=job.stage,
            attempt=job.attempt + 1,
            run=state.run,
            **_about(state, now),
        )


def _about(state: DocumentState, now: datetime) -> dict[str, Any]:
    return {
        "document_id": state.document_id,
        "tenant": state.tenant,
        "cause": state.last_event,
        "at": now,
        "producer": PRODUCER,
    }
