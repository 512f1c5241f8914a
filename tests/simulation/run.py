"""Run seeds: each in a world of its own; a seed that fails is told as a story and made as small as it can be."""

import traceback
from typing import NamedTuple

from tests.simulation import seams
from tests.simulation.scenario import Scenario
from tests.simulation.scheduler import Spinning
from tests.simulation.world import World
from tests.support.invariants import Violation


class Outcome(NamedTuple):
    """How a scenario ended."""

    scenario: Scenario
    violations: list[Violation]
    story: list[tuple[float, str, str]]
    virtual: float  # seconds
    steps: int

    @property
    def kinds(self) -> set[str]:
        return {violation.invariant for violation in self.violations}


def run(scenario: Scenario) -> Outcome:
    """Let a scenario happen."""
    world = World(scenario)
    with seams.patched(world.loop, scenario, world.tell):
        try:
            found = world.run()
        except Spinning as error:
            found = [Violation("spins", "world", str(error))]
        except Exception as error:  # the simulation's own mistake
            found = [Violation("simulation", "world", "".join(traceback.format_exception(error))[-3000:])]
    return Outcome(scenario, found, world.story, world.loop.now, world.loop.steps)
