"""Percent and estimate: done weight over planned weight, and never more than is known."""

import pytest

from services.progress.projection import document_row
from shared.document import live_overlay, percent
from shared.document.live_overlay import LiveOverlay
from shared.events.document import PLAN
from shared.events.pipeline import StageLine
from tests.support.document_facts import (
    completed,
    concluded,
    done,
    failed,
    fold,
    given_up,
    lost,
    planned,
    requested,
    started,
    ticked,
    uploaded,
    whole,
)

ONE = [uploaded(pipeline=[StageLine(stage="ocr", weight=1.0)]), started(), planned(slices=4, weight=8.0, pages=4)]


def holding(log, *ticks):
    overlay = LiveOverlay()
    for tick in ticks:
        overlay = live_overlay.tick(overlay, fold(log), tick)
    return overlay


def of_stage(log, overlay=None, stage="ocr"):
    return percent.of_stage(fold(log).stages[stage], overlay or LiveOverlay())


def test_the_percent_of_a_stage_is_the_weight_of_what_is_done() -> None:
    assert of_stage(ONE) == 0.0
    assert of_stage([*ONE, done(0, weight=2.0)]) == 25.0
    assert of_stage([*ONE, done(0, weight=6.0)]) == 75.0


def test_slices_in_hand_add_their_share_and_never_more_than_their_weight() -> None:
    log = [*ONE, done(0, weight=2.0)]

    assert of_stage(log, holding(log, ticked(1, 0.5))) == 37.5
    assert of_stage(log, holding(log, ticked(1, 1.0))) == 50.0
    assert of_stage(log, holding(log, ticked(PLAN, 1.0))) == 25.0


def test_a_stage_is_at_100_only_when_it_has_concluded() -> None:
    log = [*ONE, *(done(n, weight=2.0) for n in range(4))]

    assert of_stage(log) == 99.9
    assert of_stage([*log, concluded()]) == 100.0


def test_100_is_said_by_the_completion_of_the_document_alone() -> None:
    log = [uploaded(), *whole("ocr"), *whole("chunk"), *whole("extract")]

    assert percent.of_document(fold(log), LiveOverlay()) == 99.9
    assert percent.of_document(fold([*log, completed()]), LiveOverlay()) == 100.0


def test_before_a_stage_has_planned_its_share_is_a_guess_per_page() -> None:
    lines = [StageLine(stage="ocr", weight=3.0), StageLine(stage="chunk", weight=1.0)]
    log = [uploaded(pipeline=lines), started(), planned(slices=10, weight=30.0, pages=10)]

    log += [done(n, weight=3.0) for n in range(10)]

    assert percent.of_document(fold(log), LiveOverlay()) == 75.0  # 30 of 30 + 10 pages of 1 second each


def test_what_was_shown_is_a_floor() -> None:
    log = [*ONE, done(0, weight=2.0)]

    assert percent.of_document(fold(log), LiveOverlay(shown=60.0)) == 60.0
    assert of_stage(log, LiveOverlay(shown_stages={"ocr": 60.0})) == 60.0


def shown_along(log):
    """The percents of document and stage that are shown after each record."""
    kept, shown = None, []
    for offset, item in enumerate(log):
        kept = document_row.tick(kept, item) if hasattr(item, "fraction") else document_row.take(kept, item, offset)
        kept = document_row.settle(kept)
        shown.append(
            (percent.of_document(kept.state, kept.live), percent.of_stage(kept.state.stages["ocr"], kept.live))
        )
    return shown


def test_a_lost_worker_takes_nothing_back_that_was_shown() -> None:
    shown = shown_along([*ONE, ticked(0, 0.9), lost(0), ticked(0, 0.1), done(0, weight=2.0)])

    assert shown == sorted(shown)
    assert shown[-3] == (22.5, 22.5)


def test_another_attempt_may_show_less() -> None:
    log = [*ONE, done(0, weight=2.0), ticked(1, 0.9), failed(1), given_up(), requested()]

    assert shown_along(log)[-2:] == [(47.5, 25.0), (25.0, 25.0)]


# --- the estimate -------------------------------------------------------------------------------------------------


def test_the_estimate_comes_from_the_pace_so_far() -> None:
    log = [*ONE, done(0, weight=2.0, when=11)]  # a quarter in ten seconds

    assert percent.eta(fold(log), LiveOverlay()) == (24, 42)


def test_work_in_hand_shortens_what_is_left_and_does_not_quicken_the_pace() -> None:
    log = [*ONE, done(0, weight=2.0, when=11)]

    assert percent.eta(fold(log), holding(log, ticked(1, 1.0))) == (16, 28)


@pytest.mark.parametrize(
    "log",
    [
        ONE[:1],
        ONE,
        [*ONE, done(0, weight=2.0, when=2)],
        [*ONE, done(0, weight=0.1, when=11)],
        [*ONE, done(0, weight=2.0, when=11), failed(1), given_up(when=12)],
        [*ONE, done(0, weight=2.0, when=11), failed(1), given_up(), requested(), started(attempt=2, when=900)],
        [*ONE, *(done(n, weight=2.0, when=11) for n in range(4)), concluded(), completed()],
    ],
    ids=["nothing started", "nothing done", "too early", "too little", "waiting", "retried", "over"],
)
def test_without_evidence_there_is_no_estimate(log) -> None:
    assert percent.eta(fold(log), LiveOverlay()) is None
