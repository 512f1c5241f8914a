"""A failed seed in words: what the world was, who did what and when, and what does not hold."""

from collections.abc import Iterator, Sequence

from tests.simulation.run import Outcome
from tests.simulation.scenario import RATES, Scenario

MAX_LINES = 120  # lines; the beginning and the end of a longer story


def tell(outcome: Outcome) -> str:
    return "\n".join([*_world(outcome.scenario), *_lines(outcome.story), *(f"✗ {v}" for v in outcome.violations)])


def _world(scenario: Scenario) -> Iterator[str]:
    yield f"seed {scenario.seed}: {scenario.machines} machines × {', '.join(scenario.stages)}; clocks {scenario.clocks}"
    yield (
        f"  partitions {scenario.partitions}, children {scenario.children}, batch {scenario.batch}, states kept "
        f"{scenario.capacity}, patience {scenario.patience}, a page takes {scenario.page_seconds} s"
    )
    for document in scenario.documents:
        bad = f", pages {document.bad} are bad" if document.bad else ""
        yield f"  {document.name} of {document.tenant}, {document.pages} pages, uploaded at {document.at:.2f}{bad}"
    rates = [f"{name} {scenario.rates[name]}" for name in RATES if scenario.rates[name]]
    if rates or scenario.crumbs:
        yield f"  weather: {', '.join(rates + ['crumbs'] * scenario.crumbs)}"
    for fault in scenario.faults:
        yield f"  {fault.at:.2f} {fault}"
    for wish in scenario.wishes:
        yield f"  {wish.at:.2f} {wish.kind} of {wish.document}"


def _lines(story: Sequence[tuple[float, str, str]]) -> Iterator[str]:
    told = [f"{at:9.3f}  {who:20} {what}" for at, who, what in story]
    if len(told) > MAX_LINES:
        told = [*told[: MAX_LINES // 2], f"           … {len(told) - MAX_LINES} lines …", *told[-MAX_LINES // 2 :]]
    yield from told
