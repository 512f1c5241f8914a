"""The policy: what happens when a document does not move by itself. Pure and level-triggered.

`decide` looks at one settled state and the time and yields the facts that follow. Called again in the same state it
yields the same facts with the same ids.
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

    `stored`: every result of the document is where its endpoints read it. `at_work`: a worker holds a live lease.
    """
    match state.status:
        case "processed" if stored:
            yield DocumentCompleted.claim(claim=str(state.run), run=state.run, **_about(state, now))
        case "cancelling" if not at_work:
            yield DocumentCancelled.claim(claim=str(state.run), run=state.run, **_about(state, now))
        case "deleted" if not state.erased and not at_work:
            yield DocumentErased.claim(claim="1", **{**_about(state, now), "producer": ERASER})
        case "processing" | "retrying":
            for stage_state in state.stages.values():
                yield from _stage(state, stage_state, now)
        case _:
            return


def delay(state: DocumentState, stage_state: StageState) -> float:
    """Seconds until the next attempt: exponential within the run, jittered, capped, and as long as was asked for.

    The jitter is drawn from the document and attempt, so that everyone who computes it comes to the same moment.
    """
    assert stage_state.error
    exponential = min(CAP_SECONDS, BASE_SECONDS * float(2 ** min(stage_state.attempt - stage_state.first_attempt, 30)))
    draw = random.Random(uuid5(UUID(state.document_id), f"{stage_state.stage}/{stage_state.attempt}").int).uniform(
        0.5, 1.0
    )
    return max(exponential * draw, stage_state.error.retry_after or 0.0)


def _stage(state: DocumentState, stage_state: StageState, now: datetime) -> Iterator[Fact]:
    if stage_state.status == "retrying" and stage_state.due_at is None:
        assert stage_state.error
        yield RetryScheduled.claim(
            claim=f"{stage_state.stage}/{stage_state.attempt + 1}",
            stage=stage_state.stage,
            attempt=stage_state.attempt + 1,
            error=stage_state.error,
            due_at=now + timedelta(milliseconds=round(delay(state, stage_state) * 1000)),
            **_about(state, now),
        )
    elif (stage_state.status == "retrying" and stage_state.due_at and stage_state.due_at <= now) or (
        stage_state.wanted and state.is_turn_of(stage_state.stage)
    ):
        yield StageRequested.claim(
            claim=f"{state.run}/{stage_state.stage}/{stage_state.attempt + 1}",
            stage=stage_state.stage,
            attempt=stage_state.attempt + 1,
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
