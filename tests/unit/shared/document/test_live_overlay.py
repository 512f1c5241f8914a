"""The live overlay: what ticks add, what facts end, and that neither touches what is settled."""

import pytest

from shared.document import live_overlay
from shared.document.live_overlay import LiveOverlay
from shared.document.state import evolve
from shared.events.document import PLAN
from tests.support.document_facts import (
    BAD_PAGE,
    cancel,
    cancelled,
    completed,
    concluded,
    deleted,
    done,
    failed,
    fold,
    given_up,
    lost,
    planned,
    requested,
    retry,
    started,
    ticked,
    uploaded,
    whole,
)

RUNNING = [uploaded(), started(), planned()]


def held(overlay):
    return {(h.stage, h.slice): h.fraction for h in overlay.in_hand.values()}


def follow(overlay, log, *more):
    state = fold(log)
    for fact in more:
        after = evolve(state, fact)
        overlay, state = live_overlay.follow(overlay, state, after, fact), after
    return overlay


def test_the_latest_tick_of_each_slice_is_kept_and_each_tick_counts() -> None:
    overlay = LiveOverlay()
    for tick in (ticked(0, 0.1), ticked(0, 0.4), ticked(1, 0.2)):
        overlay = live_overlay.tick(overlay, fold(RUNNING), tick)

    assert held(overlay) == {("ocr", 0): 0.4, ("ocr", 1): 0.2}
    assert overlay.ticks == 3


def test_a_tick_may_arrive_before_the_fact_that_the_stage_has_started() -> None:
    overlay = live_overlay.tick(LiveOverlay(), fold([uploaded()]), ticked(PLAN, 0.1))

    assert held(follow(overlay, [uploaded()], started())) == {("ocr", PLAN): 0.1}


@pytest.mark.parametrize(
    ("log", "tick"),
    [
        (RUNNING, ticked(stage="translate")),
        (RUNNING, ticked(attempt=2)),
        ([*RUNNING, done(0)], ticked(0)),
        ([*RUNNING, failed(0)], ticked(0)),
        ([*RUNNING, failed(0), given_up()], ticked(1)),
        ([*RUNNING, failed(0), given_up(), requested()], ticked(1)),
        ([*RUNNING, given_up(final=True)], ticked(1)),
        ([uploaded(), *whole("ocr")], ticked(0)),
        ([*RUNNING, cancel(), cancelled()], ticked(1)),
        ([*RUNNING, cancel(), cancelled(), retry()], ticked(1)),
        ([*RUNNING, deleted()], ticked(1)),
    ],
)
def test_a_tick_about_what_has_ended_is_not_noticed(log, tick) -> None:
    overlay = LiveOverlay()

    assert live_overlay.tick(overlay, fold(log), tick) is overlay


@pytest.mark.parametrize("ending", [done(0), failed(0), lost(0)], ids=lambda fact: fact.type)
def test_a_fact_about_a_slice_drops_its_tick_and_no_other(ending) -> None:
    overlay = live_overlay.tick(
        live_overlay.tick(LiveOverlay(), fold(RUNNING), ticked(0)), fold(RUNNING), ticked(1, 0.3)
    )

    assert held(follow(overlay, RUNNING, ending)) == {("ocr", 1): 0.3}


@pytest.mark.parametrize(
    "ending", [concluded(), given_up(), given_up(final=True, error=BAD_PAGE)], ids=lambda f: f.type
)
def test_the_end_of_a_stage_drops_all_of_its_ticks(ending) -> None:
    overlay = live_overlay.tick(LiveOverlay(), fold(RUNNING), ticked(1))

    assert held(follow(overlay, RUNNING, ending)) == {}


def test_a_fact_that_changes_something_starts_the_count_of_ticks_anew_and_no_other_does() -> None:
    overlay = live_overlay.tick(LiveOverlay(), fold(RUNNING), ticked(1))

    assert follow(overlay, RUNNING, done(0)).ticks == 0
    assert follow(overlay, RUNNING, started()) is overlay


def test_the_floor_of_the_document_holds_until_another_attempt_or_run_begins() -> None:
    shown = LiveOverlay(shown=60.0)
    failing = [*RUNNING, failed(0), given_up()]

    assert follow(shown, RUNNING, lost(0), done(0)).shown == 60.0
    assert follow(shown, failing, requested()).shown == 0.0
    assert follow(shown, [*RUNNING, given_up(final=True)], retry()).shown == 0.0


def test_a_completed_partial_document_does_not_show_100_while_it_is_retried() -> None:
    some = [*RUNNING, done(0), failed(1), failed(2), concluded(partial=True)]
    log = [*some, *whole("chunk"), *whole("extract"), completed()]

    assert follow(LiveOverlay(shown=100.0), log, retry()).shown == 0.0


def test_the_floor_of_a_stage_holds_while_its_attempt_is_open() -> None:
    shown = LiveOverlay(shown_stages={"ocr": 40.0, "chunk": 0.0})
    failing = [*RUNNING, failed(0), given_up()]

    assert follow(shown, RUNNING, lost(0)).shown_stages["ocr"] == 40.0
    assert "ocr" not in follow(shown, RUNNING, concluded()).shown_stages
    assert "ocr" not in follow(shown, failing, requested()).shown_stages
    assert follow(shown, failing, requested()).shown_stages["chunk"] == 0.0
