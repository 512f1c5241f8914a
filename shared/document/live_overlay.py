"""The live overlay: what ticks say of the slices in hand, and the percent already shown. Never touches what is settled.

Losing it costs nothing but a moment's detail; a slice's tick is dropped when the slice ends.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from shared.document.stage_state import StageState
from shared.document.state import TERMINAL, DocumentState
from shared.events.document import (
    PLAN,
    Fact,
    Progress,
    RetryRequested,
    SliceCompleted,
    SliceFact,
    StagePlanned,
    StageRequested,
)


class InHand(Struct, frozen=True):
    """The latest tick of one slice: how far it is (0..1) and its message."""

    stage: str
    slice: int
    fraction: float
    code: str
    params: Mapping[str, Any]


class LiveOverlay(Struct, frozen=True):
    """`ticks` since the last fact that changed the state; `shown` and `shown_stages`, floors for the percents.

    A floor holds within an attempt: of any stage for the whole document, of its own for a stage.
    """

    in_hand: Mapping[str, InHand] = MappingProxyType({})
    ticks: int = 0
    shown: float = 0.0
    shown_stages: Mapping[str, float] = MappingProxyType({})


def tick(live: LiveOverlay, state: DocumentState, progress: Progress) -> LiveOverlay:
    """The overlay after a tick; the same where it speaks of another attempt or of what has ended."""
    stage_state = state.stages.get(progress.stage)
    if (
        stage_state is None
        or state.status in TERMINAL
        or state.status == "deleted"
        or not _in_hand(stage_state, progress)
    ):
        return live
    held = InHand(progress.stage, progress.slice, progress.fraction, progress.code, progress.params)
    return replace(live, in_hand={**live.in_hand, f"{progress.stage}/{progress.slice}": held}, ticks=live.ticks + 1)


def _in_hand(stage_state: StageState, progress: Progress) -> bool:
    planned = progress.slice == PLAN and stage_state.plan is not None
    ended = planned or stage_state.has(progress.slice) or progress.slice in stage_state.failed
    return stage_state.open and progress.attempt == stage_state.attempt and not ended


def follow(live: LiveOverlay, before: DocumentState | None, after: DocumentState, fact: Fact) -> LiveOverlay:
    """The overlay after a fact: what the fact ended is dropped, a new attempt may show less than the old one."""
    if after is before:
        return live
    if isinstance(fact, SliceCompleted) and not live.in_hand:  # most of a replay: nothing to drop, every floor holds
        return replace(live, ticks=0) if live.ticks else live
    ended = _ended(fact)
    in_hand = {
        key: held
        for key, held in live.in_hand.items()
        if key != ended and after.stages[held.stage].open and after.status not in TERMINAL
    }
    floors = {stage: shown for stage, shown in live.shown_stages.items() if _goes_on(before, after, stage)}
    anew = isinstance(fact, StageRequested | RetryRequested)
    return LiveOverlay(in_hand, 0, 0.0 if anew else live.shown, floors)


def _ended(fact: Fact) -> str:
    match fact:
        case SliceFact():
            return f"{fact.stage}/{fact.slice}"
        case StagePlanned():
            return f"{fact.stage}/{PLAN}"
        case _:
            return ""


def _goes_on(before: DocumentState | None, after: DocumentState, stage: str) -> bool:
    stage_state = after.stages[stage]
    return before is not None and stage_state.open and stage_state.attempt == before.stages[stage].attempt
