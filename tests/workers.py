"""What a worker says of a work item in the simulated world: the same facts and claims as the real one."""

from datetime import datetime
from typing import Any

from shared.events import (
    CONCLUDE,
    PLAN,
    Fact,
    Failure,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StagePlanned,
    StageStarted,
)
from shared.harness.items import WorkItem

SLICES = {"ocr": 3, "chunk": 2, "extract": 1}


def start(item: WorkItem, now: datetime) -> Fact:
    """The first word about an attempt."""
    return _say(StageStarted, item, f"{item.stage}/{item.attempt}", now)


def succeed(item: WorkItem, now: datetime) -> Fact:
    """The fact that a piece of work ends in when all goes well."""
    match item.slice:
        case number if number == PLAN:
            return _planned(item, now)
        case number if number == CONCLUDE:
            lack = f"-without-{item.missing}" if item.missing else ""
            return _say(
                StageCompleted, item, f"{item.stage}/{item.attempt}", now, plan=item.plan,
                result=f"{item.plan}{lack}", partial=bool(item.missing),
            )  # fmt: skip
        case number:
            return _say(
                SliceCompleted, item, f"{item.stage}/{item.plan}/{number}", now, plan=item.plan, slice=number,
                weight=1.0, pages=(number + 1, number + 1) if item.stage == "ocr" else None,
            )  # fmt: skip


def fail(item: WorkItem, strike: int, error: Failure, now: datetime) -> Fact:
    """The fact that a piece of work ends in when it fails."""
    return _say(
        SliceFailed, item, f"{item.claim}/{strike}", now, plan=item.plan, slice=item.slice, error=error, strike=strike
    )


def _planned(item: WorkItem, now: datetime) -> Fact:
    slices = SLICES[item.stage]
    return _say(
        StagePlanned, item, f"{item.stage}/{item.attempt}/plan", now,
        plan=f"{item.stage}({','.join(item.inputs.values())})",  # another input is another plan
        slices=slices, weight=float(slices), page_count=slices if item.stage == "ocr" else None,
    )  # fmt: skip


def _say(kind: Any, item: WorkItem, claim: str, now: datetime, **fields: Any) -> Any:
    return kind.claim(
        document_id=item.document_id, claim=claim, tenant=item.tenant, at=now, producer="worker", stage=item.stage,
        attempt=item.attempt, **fields,
    )  # fmt: skip
