"""Properties of the fold, in logs that the real services have written in simulated worlds (`tests/simulation`).

In those worlds workers fail, vanish and come back, records are appended twice, folds are killed and people press
buttons. That every document comes to its end there is what the simulation itself checks.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC
from functools import cache
from random import Random
from typing import Any

import bson
import orjson
from bson.codec_options import CodecOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from services.progress.projection import document_row
from services.progress.projection.document_row import DocumentRow
from shared.document import percent
from shared.document.state import TERMINAL, evolve
from shared.events.document import DocumentDeleted, Fact, Progress, RetryRequested, StageRequested, decode
from shared.harness.coordinator.assignment import evolve as assigned
from shared.harness.coordinator.fold import from_row, to_row
from tests.support import document_facts
from tests.support.deciding import decide

AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)
SEEDS = st.integers(0, 2**32)
STAGES = ("ocr", "chunk", "extract")


@cache
def logs() -> list[tuple[Fact, ...]]:
    """What was said of each document in some worlds, from its upload to its end."""
    told = subprocess.run([sys.executable, "-m", "tests.simulation.logs", "60"], capture_output=True, check=True)
    return [tuple(decode(fact.encode()) for fact in log) for log in map(orjson.loads, told.stdout.splitlines())]


def written(seed: int) -> tuple[Fact, ...]:
    """The log of one document."""
    return logs()[seed % len(logs())]


def effective_facts(log: Sequence[Fact]) -> Iterator[Fact]:
    """The facts that changed the state when they were first said."""
    state = None
    for fact in log:
        after = evolve(state, fact)
        if after is not state:
            yield fact
        state = after


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.data())
def test_facts_that_are_appended_again_change_nothing(seed: int, data) -> None:
    log = written(seed)
    effective = list(effective_facts(log))
    repeated = list(log)
    for fact in data.draw(st.lists(st.sampled_from(effective), max_size=12)):
        first = next(n for n, said in enumerate(repeated) if said is fact)
        repeated.insert(data.draw(st.integers(first + 1, len(repeated))), fact)

    assert document_facts.fold(repeated) == document_facts.fold(log)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_a_fact_that_is_read_twice_in_a_row_changes_nothing_the_second_time(seed: int) -> None:
    state = None
    for fact in written(seed):
        state = evolve(state, fact)
        assert evolve(state, fact) is state


def ticks(seed: int, log: tuple[Fact, ...]) -> Iterator[tuple[int, Progress]]:
    """Ticks of any stage, attempt and slice at any place of the log."""
    random = Random(seed)
    for _ in range(random.randrange(60)):
        stage = random.choice(STAGES)
        tick = document_facts.ticked(random.randrange(-2, 4), random.random(), stage, random.randrange(1, 4))
        yield random.randrange(1, len(log) + 1), tick


def mixed(seed: int, log: tuple[Fact, ...]) -> list[Fact | Progress]:
    """The log with ticks in between."""
    found: list[Any] = list(log)
    for place, tick in sorted(ticks(seed, log), key=lambda pair: pair[0], reverse=True):
        found.insert(place, tick)
    return found


def taken(kept: DocumentRow | None, item: Fact | Progress, offset: int) -> DocumentRow:
    """The row after a fact, or after a tick of a document that is known."""
    if isinstance(item, Progress):
        assert kept
        return document_row.tick(kept, item)
    after = document_row.take(kept, item, offset)
    assert after
    return after


@settings(max_examples=100, deadline=None)
@given(SEEDS, SEEDS)
def test_what_is_settled_is_the_same_for_every_interleaving_of_ticks_and_every_batching(seed: int, other) -> None:
    log, random = written(seed), Random(other)
    kept: DocumentRow | None = None
    for offset, item in enumerate(mixed(other, log)):
        kept = taken(kept, item, offset)
        if random.random() < 0.3:  # a batch ends here
            kept = document_row.settle(kept)

    assert kept
    assert kept.state == document_facts.fold(log)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SEEDS)
def test_a_fold_that_was_stored_and_loaded_goes_on_like_one_that_never_stopped(seed: int, other) -> None:
    items, random = mixed(other, written(seed)), Random(other)
    one: DocumentRow | None = None
    two: DocumentRow | None = None
    for offset, item in enumerate(items):
        one, two = (document_row.settle(taken(kept, item, offset)) for kept in (one, two))
        if random.random() < 0.1:
            two = document_row.from_row(bson.decode(bson.encode(document_row.to_row(two, "epoch")), AWARE))

    assert one == two


@settings(max_examples=60, deadline=None)
@given(SEEDS, SEEDS, st.sampled_from(STAGES))
def test_a_coordinator_that_was_stored_and_loaded_goes_on_like_one_that_never_stopped(seed: int, other, stage) -> None:
    random = Random(other)
    one = two = None
    for fact in written(seed):
        one, two = assigned(one, fact, stage), assigned(two, fact, stage)
        if two and random.random() < 0.1:
            two = from_row(bson.decode(bson.encode(to_row(two)), AWARE))

        ones, twos = ([known] if known else [] for known in (one, two))  # its pipeline may end before this stage
        assert decide(ones, {}, {}, 2, 2) == decide(twos, {}, {}, 2, 2)
    assert one == two


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_the_version_grows_with_every_change_and_what_has_ended_stays_so(seed: int) -> None:
    state = None
    for fact in written(seed):
        after = evolve(state, fact)
        assert after
        if state is not None and after is not state:
            assert after.version > state.version
            assert after.updated_at >= state.updated_at
            assert state.status not in TERMINAL or isinstance(fact, RetryRequested | DocumentDeleted)
            assert state.status != "deleted" or after.erased
        state = after


@settings(max_examples=60, deadline=None)
@given(SEEDS, SEEDS)
def test_the_percent_never_goes_back_within_an_attempt_and_100_is_the_end(seed: int, other) -> None:
    kept: DocumentRow | None = None
    shown = 0.0
    stages: dict[str, tuple[int, float]] = {}
    for offset, item in enumerate(mixed(other, written(seed))):
        before = kept.state if kept else None
        kept = taken(kept, item, offset)
        now = percent.of_document(kept.state, kept.live)
        anew = isinstance(item, StageRequested | RetryRequested) and kept.state is not before

        assert anew or now >= shown
        assert (now == 100.0) == (kept.state.status == "completed") or kept.state.status == "deleted"
        for stage, stage_state in kept.state.stages.items():
            of_stage = percent.of_stage(stage_state, kept.live)
            attempt, floor = stages.get(stage, (stage_state.attempt, 0.0))
            assert attempt != stage_state.attempt or not stage_state.open or of_stage >= floor
            stages[stage] = (stage_state.attempt, of_stage if stage_state.open else 0.0)
        kept, shown = document_row.settle(kept), now
