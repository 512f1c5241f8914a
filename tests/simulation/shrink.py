"""A failing scenario made smaller: whatever can be left out while the same kind of violation remains is left out."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.run import Outcome, run
from tests.simulation.scenario import RATES, Scenario

TRIES = 400
SECONDS = 120.0  # for all tries together


def shrunk(outcome: Outcome, run: Callable[[Scenario], Outcome] = run) -> Outcome:
    """The smallest scenario that still fails alike, as far as it is found in time."""
    until, tries = time.perf_counter() + SECONDS, 0
    smaller = True
    while smaller:
        smaller = False
        for candidate in candidates(outcome.scenario):
            tries += 1
            if tries > TRIES or time.perf_counter() > until:
                return outcome
            found = run(candidate)
            if outcome.violations[0].invariant in found.kinds:
                outcome, smaller = found, True
                break
    return outcome


def candidates(scenario: Scenario) -> Iterator[Scenario]:
    """Every scenario that is one step smaller."""
    for n in range(len(scenario.faults)):
        yield scenario.but(faults=scenario.faults[:n] + scenario.faults[n + 1 :])
    for n in range(len(scenario.wishes)):
        yield scenario.but(wishes=scenario.wishes[:n] + scenario.wishes[n + 1 :])
    if len(scenario.documents) > 1:
        yield from _fewer(scenario)
    yield from (scenario.but(rates={**scenario.rates, name: 0.0}) for name in RATES if scenario.rates[name])
    if scenario.machines > 1:
        yield scenario.but(machines=scenario.machines - 1, clocks=scenario.clocks[:-1])
    if any(scenario.clocks):
        yield scenario.but(clocks=(0.0,) * scenario.machines)
    if len(scenario.stages) > 1:
        yield scenario.but(stages=scenario.stages[:-1])
    if scenario.again:
        yield scenario.but(again=False)
    if scenario.crumbs:
        yield scenario.but(crumbs=False)
    if scenario.partitions > 1:
        yield scenario.but(partitions=1)
    if scenario.children > 1:
        yield scenario.but(children=scenario.children - 1)
    for n, document in enumerate(scenario.documents):
        if document.pages > 1:
            less = replace(document, pages=document.pages - 1)
            yield scenario.but(documents=(*scenario.documents[:n], less, *scenario.documents[n + 1 :]))


def _fewer(scenario: Scenario) -> Iterator[Scenario]:
    documents = scenario.documents
    parts = [(0, len(documents) // 2), (len(documents) // 2, len(documents))] if len(documents) > 3 else []
    for start, end in [*parts, *((n, n + 1) for n in range(len(documents)))]:
        left = documents[:start] + documents[end:]
        names = {document.name for document in left}
        wishes = tuple(wish for wish in scenario.wishes if wish.document in names)
        if left:
            yield scenario.but(documents=left, wishes=wishes)
