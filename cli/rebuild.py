"""`pagestream rebuild`: the projection anew from the log, with the proof that it is the same."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console

from cli import exits, folds
from cli.options import console
from cli.up import until_interrupted
from shared.settings import read
from stack.settings import StackSettings

STEPS: Final[Mapping[str, str]] = {
    "replay": "Replaying the log into generation {generation} …",
    "stop": "The live projection makes way, the last facts follow …",
}


def rebuild() -> None:
    """Build the projection anew from the log, compare it with the one before, and let readers read the new one.

    Works beside a running system and on one that is stopped. Exit code 1 means that the two are not the same.
    """
    exits.run(until_interrupted(_rebuild()))


async def _rebuild() -> int:
    out = console()
    settings = read(StackSettings)
    outcome: dict[str, Any] = {}
    async with folds.infrastructure(settings) as here:
        async for outcome in folds.told(settings, here, "services.progress.rebuild"):
            if sentence := STEPS.get(outcome.get("step", "")):
                out.print(sentence.format_map(outcome), soft_wrap=True)
            elif "exception" in outcome:
                out.print(outcome["exception"], markup=False, soft_wrap=True)
    return _tell(out, outcome)


def _tell(out: Console, outcome: Mapping[str, Any]) -> int:
    out.print(f"Generation {outcome['generation']} is live.", soft_wrap=True)
    out.print(f"digest  {outcome['digest']}", soft_wrap=True)
    if "digest_before" not in outcome:
        out.print("There was no projection to compare with.", soft_wrap=True)
        return exits.COMPLETED
    out.print(f"before  {outcome['digest_before']}", soft_wrap=True)
    different = outcome["differences"]
    out.print(f"{len(different)} differences" + "".join(f"\n  {row}" for row in different[:20]), soft_wrap=True)
    return exits.FAILED if different else exits.COMPLETED
