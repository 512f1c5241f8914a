"""How far a document is, by work done, and how long it will take. Pure arithmetic over weights in seconds."""

from typing import Final

from shared.document.live_overlay import InHand, LiveOverlay
from shared.document.stage_state import StageState
from shared.document.state import ALMOST, DocumentState

EVIDENCE_SECONDS: Final = 2.0  # of observed work before an estimate is given
_EVIDENCE_SHARE: Final = 0.05  # of the whole that must be done before


def of_stage(stage_state: StageState, live: LiveOverlay) -> float:
    """The percent of one stage, 0..100; slices in hand add at most their own weight."""
    if stage_state.status == "completed":
        return 100.0
    share = (stage_state.done_weight + _in_hand(stage_state, live)) / stage_state.weight if stage_state.weight else 0.0
    return max(live.shown_stages.get(stage_state.stage, 0.0), round(min(ALMOST, 100.0 * share), 1))


def of_document(state: DocumentState, live: LiveOverlay) -> float:
    """The percent of the whole: done weight over all weight, never less than what was shown in this attempt."""
    if state.status == "completed":
        return 100.0
    whole, done = _totals(state, live)
    return max(live.shown, round(min(ALMOST, 100.0 * done / whole), 1))


def eta(state: DocumentState, live: LiveOverlay) -> tuple[int, int] | None:
    """Low and high estimate of the seconds left, None without evidence."""
    started = [stage.started_at for stage in state.stages.values() if stage.started_at]
    retried = any(
        stage.attempt > 1 for stage in state.stages.values()
    )  # the time since the start is no measure any more
    if state.status != "processing" or not started or retried:
        return None
    whole, settled = _totals(state, LiveOverlay())
    observed = (state.updated_at - min(started)).total_seconds()
    if observed < EVIDENCE_SECONDS or settled < _EVIDENCE_SHARE * whole:
        return None
    left = (whole - _totals(state, live)[1]) * observed / settled
    return around(left)


def around(seconds: float) -> tuple[int, int]:
    """The range that is shown for an estimate."""
    return max(1, round(0.8 * seconds)), max(2, round(1.4 * seconds))


def held_of(live: LiveOverlay, stage: str) -> list[InHand]:
    """The slices of one stage that are in hand."""
    return [held for held in live.in_hand.values() if held.stage == stage]


def _totals(state: DocumentState, live: LiveOverlay) -> tuple[float, float]:
    pages = max((stage.pages or 1 for stage in state.stages.values()), default=1)
    whole = done = 0.0
    for stage_state in state.stages.values():
        expected = stage_state.weight or stage_state.guess * pages
        whole += expected
        done += (
            expected
            if stage_state.status == "completed"
            else min(expected, stage_state.done_weight + _in_hand(stage_state, live))
        )
    return whole, done


def _in_hand(stage_state: StageState, live: LiveOverlay) -> float:
    average = stage_state.weight / stage_state.slices if stage_state.slices else 0.0
    return sum(average * held.fraction for held in held_of(live, stage_state.stage) if held.slice >= 0)
