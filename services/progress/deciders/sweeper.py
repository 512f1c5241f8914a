"""The sweeper: a lease that expired without an end is a lost worker, and the third of one slice is its failure. Pure.

Whether a lease has expired is for the database's clock to say.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from shared.document.stage_state import StageState
from shared.document.state import TERMINAL, DocumentState
from shared.events.document import PLAN, Fact, Failure, SliceFailed, WorkerLost
from shared.harness.work_item import MAX_LOSSES

PRODUCER: Final = "sweeper"
TAKEN_UP: Final = timedelta(seconds=60)  # until work that was given back is taken for lost
OVER: Final = "over"  # this work is not needed any more: the lease is to be ended


def judge(
    lease: Mapping[str, Any], state: DocumentState | None, now: datetime, seen: timedelta
) -> Fact | Literal["over"] | None:
    """What follows from an expired lease: a fact, OVER, or None where the fact is published already or not known yet.

    `seen` is for how long the sweeper has seen it expired.
    """
    if state is None:
        return None
    stage_state = state.stages.get(lease["stage"])
    if stage_state is None or state.status == "deleted":
        return OVER
    if lease["attempt"] > stage_state.attempt or (
        lease["plan"] and not stage_state.plan and lease["attempt"] == stage_state.attempt
    ):
        return None  # the coordinator that sent it has read further in the log than this state
    if state.status in TERMINAL or state.status == "cancelling" or _is_over(lease, stage_state):
        return OVER
    if lease.get("reported") == lease["strikes"]:
        return None
    if lease.get("released") == lease["strikes"] and seen < TAKEN_UP:
        return None  # the worker that released it has sent it again
    return _loss(lease, now, state.last_event)


def _is_over(lease: Mapping[str, Any], stage_state: StageState) -> bool:
    number = lease["slice"]
    if lease["attempt"] != stage_state.attempt or not stage_state.open:
        return True
    if number == PLAN:
        return stage_state.plan is not None
    return lease["plan"] != stage_state.plan or number in stage_state.failed or stage_state.has(number)


def _loss(lease: Mapping[str, Any], now: datetime, cause: str) -> Fact:
    losses = lease["strikes"] - lease.get("releases", 0)
    number = lease["slice"]
    common = {
        "document_id": lease["document_id"],
        "claim": f"{lease['stage']}/{lease['attempt']}/{lease['plan']}/{number}/{lease['strikes']}",
        "tenant": lease["tenant"],
        "cause": cause,
        "at": now,
        "producer": PRODUCER,
        "stage": lease["stage"],
        "attempt": lease["attempt"],
        "plan": lease["plan"],
        "slice": number,
        "strike": lease["strikes"],
    }
    if losses < MAX_LOSSES:
        return WorkerLost.claim(**common)
    error = Failure(code="worker_lost", facts={"strikes": losses})
    return SliceFailed.claim(**common, error=error)
