"""Every service killed between any two side effects: the same facts again, no page read twice, the same results."""

from typing import Any

import pytest

from shared.events.document import SliceCompleted, StageCompleted
from tests.chaos import pictures
from tests.chaos.chaos_system import STAGES, ChaosSystem
from tests.chaos.conftest import SEED, Fault
from tests.chaos.watching import watching
from tests.support.wait import until

GAPS = ("claimed", "acknowledged", "stored", "appended", "ended")
TIMES = (1, 2, 3)  # planning, the one slice, concluding
QUICK_GAPS = {"stored", "appended"}
QUICK = {("progress.written", 1), ("fold.stored", 2)}
TURN = SEED % 3

pytestmark = pytest.mark.timeout(240)


def gaps_of_the_stages() -> list[Any]:
    """Every gap, and the turn by which each stage meets it: two gaps the same in each run, all of them by the seed.

    One turn has every gap at every time, every stage in every gap, and every stage at every time; three seeds that
    differ bring every stage to every gap at every time.
    """
    quick = [(gap, number % 3) for number, gap in enumerate(GAPS) if gap in QUICK_GAPS]
    by_seed = [(gap, (number + TURN) % 3) for number, gap in enumerate(GAPS)]
    slow = [pytest.param(*case, marks=pytest.mark.soak) for case in by_seed if case not in quick]
    return [*(pytest.param(*case) for case in quick), *slow]


def turned(turn: int) -> dict[str, int]:
    """A time for each stage, another for each."""
    return {stage: TIMES[(turn + number) % 3] for number, stage in enumerate(STAGES)}


def gaps_of_the_projector() -> list[Any]:
    """Every gap the first, second and third time."""
    cases = [(gap, time) for gap in ("progress.written", "progress.published", "fold.stored") for time in TIMES]
    return [pytest.param(*case, marks=[] if case in QUICK else pytest.mark.soak) for case in cases]


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What the picture gives that nobody disturbed."""
    return {}


async def results_of(system: ChaosSystem, undisturbed: dict[str, Any]) -> dict[str, Any]:
    if not undisturbed:
        document_id = await system.upload(pictures.picture())
        await system.completed(document_id)
        undisturbed |= await system.results(document_id)
    return undisturbed


async def assert_as_if_nothing_had_been(system: ChaosSystem, document_id: str, expected: dict[str, Any]) -> None:
    """Completed in the first attempt, each fact claimed once, with the results that an undisturbed document has."""
    (view,) = await system.completed(document_id)
    assert {stage["attempt"] for stage in view["stages"].values()} == {1}
    facts = (await system.claims(document_id)).values()
    assert len([fact for fact in facts if isinstance(fact, StageCompleted)]) == 3
    assert len([fact for fact in facts if isinstance(fact, SliceCompleted) and fact.stage == "ocr"]) == 1
    assert await system.results(document_id) == expected


async def assert_read_once(system: ChaosSystem, expected: dict[str, Any]) -> None:
    """A picture runs through as if nothing had been, without a second OCR where the result exists."""
    runs = len(system.runs())
    document_id = await system.upload(pictures.picture())
    await assert_as_if_nothing_had_been(system, document_id, expected)
    assert len(system.runs()) == runs + 1
    await system.check()


@pytest.mark.parametrize(("gap", "turn"), gaps_of_the_stages())
async def test_2_every_stage_killed_in_the_same_gap(
    system: ChaosSystem, fault: Fault, undisturbed: dict[str, Any], gap: str, turn: int
) -> None:
    expected = await results_of(system, undisturbed)
    times = turned(turn)
    points = {service: f"{stage}.{gap}#{times[stage]}" for stage, service in STAGES.items()}
    with fault(2, f"each stage killed at {gap}, times {', '.join(map(str, times.values()))}") as strikes:
        async with system.crashing(points, PAGESTREAM_AT_ONCE_SECONDS="0"):  # each slice under a claim of its own
            strikes()
            await assert_read_once(system, expected)


@pytest.mark.parametrize("gap", [g if g in QUICK_GAPS else pytest.param(g, marks=pytest.mark.soak) for g in GAPS])
async def test_2_every_stage_killed_in_the_same_gap_of_work_under_one_claim(
    system: ChaosSystem, fault: Fault, undisturbed: dict[str, Any], gap: str
) -> None:
    """What follows the OCR of one page is little: planned, done and concluded under one claim."""
    expected = await results_of(system, undisturbed)
    points = {service: f"{stage}.{gap}#1" for stage, service in STAGES.items()}
    with fault(2, f"each stage killed at {gap} of work under one claim") as strikes:
        async with system.crashing(points):
            strikes()
            await assert_read_once(system, expected)


@pytest.mark.parametrize(("gap", "time"), gaps_of_the_projector())
async def test_2_the_projector_killed_between_write_publish_and_checkpoint(
    system: ChaosSystem, fault: Fault, undisturbed: dict[str, Any], gap: str, time: int
) -> None:
    expected = await results_of(system, undisturbed)
    with fault(2, f"projector killed at {gap}, time {time}") as strikes:
        async with system.crashing({"progress": f"{gap}#{time}"}):
            strikes()
            document_id = await system.upload(pictures.picture())
            async with watching(system.url, document_id) as watch:
                await assert_as_if_nothing_had_been(system, document_id, expected)
                view = await system.get(document_id)
                await until(lambda: watch.shows(view), within=10, what="the last frame arrives")
            await system.check()


@pytest.mark.parametrize("gap", ["fold.folded", pytest.param("fold.stored", marks=pytest.mark.soak)])
async def test_2_every_coordinator_killed_before_and_after_it_writes(
    system: ChaosSystem, fault: Fault, undisturbed: dict[str, Any], gap: str
) -> None:
    expected = await results_of(system, undisturbed)
    times = turned(TURN) if gap == "fold.folded" else dict.fromkeys(STAGES, 1)  # it writes once a second, if at all
    with fault(2, f"each coordinator killed at {gap}, times {', '.join(map(str, times.values()))}") as strikes:
        async with system.crashing({STAGES[stage]: f"{gap}#{time}" for stage, time in times.items()}):
            strikes()
            document_id = await system.upload(pictures.picture())
            await assert_as_if_nothing_had_been(system, document_id, expected)
            await system.check()
