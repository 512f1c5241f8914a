"""`pagestream rebuild`: the projection anew from the log, with the proof that it is the same."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli import exits, folds
from cli.options import console
from cli.up import until_interrupted
from pagestream.refusals import Refused
from shared.error_catalog import describe
from shared.runtime.settings import read
from stack.settings import StackSettings

COLUMNS: Final = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
STEPS: Final[Mapping[str, str]] = {
    "replay": "Replaying the log into generation {generation} … (elsewhere: `pagestream watch {job_id}`)",
    "snapshot": "The first {facts} facts are those of a snapshot; --from-zero reads them, too.",
    "results": "Storing the results that the log names …",
    "stop": "The live projection makes way, the last facts follow …",
}


def rebuild(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare only; readers stay where they are.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Let readers read the new one although rows differ.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to the generation before.")] = False,
    from_zero: Annotated[
        bool, typer.Option("--from-zero", help="Read the whole log instead of beginning at a snapshot of it.")
    ] = False,
) -> None:
    """Build the projection anew from the log, compare it with the one before, and let readers read the new one.

    Works beside a running system and on one that is stopped. Exit code 1 means that the two are not the same: readers
    then stay where they are, unless --force or --rollback was given. One that was killed goes on where it was when it
    is started again.

    Where the log is long there is a snapshot of its older part, which is taken up instead of being read again. Only
    --from-zero proves that the whole log makes what readers see.
    """
    if rollback and from_zero:
        raise typer.BadParameter("--rollback builds nothing anew: leave out --from-zero")
    if dry_run + force + rollback > 1:
        raise typer.BadParameter("choose one of --dry-run, --force, --rollback")
    mode = "dry-run" if dry_run else "force" if force else "rollback" if rollback else "swap"
    exits.run(until_interrupted(_rebuild(mode, *(["--from-zero"] if from_zero else [])), exits.INTERRUPTED))


async def _rebuild(*arguments: str) -> int:
    out = console()
    settings = read(StackSettings)
    step: dict[str, Any] = {}
    async with folds.infrastructure(settings) as here, explaining_interruption():
        with Progress(*COLUMNS, console=out, disable=not out.is_terminal, transient=True) as bar:
            task = bar.add_task("facts", total=None)
            async for step in folds.output_of(settings, here, "services.progress.rebuild", *arguments):
                if step.get("step") == "folded":
                    bar.update(task, completed=step["done"], total=step["total"])
                elif sentence := STEPS.get(step.get("step", "")):
                    out.print(sentence.format_map(step), soft_wrap=True)
                elif "exception" in step:
                    out.print(step["exception"], markup=False, soft_wrap=True)
    return _print_outcome(out, step)


@asynccontextmanager
async def explaining_interruption() -> AsyncIterator[None]:
    """What an interrupted rebuild leaves is no loss."""
    try:
        yield
    except asyncio.CancelledError:
        typer.echo("Stopped. Run it again: it goes on where it was.", err=True)
        raise


def _print_outcome(out: Console, outcome: Mapping[str, Any]) -> int:
    if outcome["step"] == "refused":
        raise Refused("refused", outcome["reason"])
    out.print(f"Generation {outcome['generation']} {_became(outcome)}.", soft_wrap=True)
    out.print(f"digest  {outcome['digest']}", soft_wrap=True)
    if "digest_before" not in outcome:
        out.print("There was no projection to compare with.", soft_wrap=True)
        return exits.COMPLETED
    out.print(f"before  {outcome['digest_before']}", soft_wrap=True)
    different = outcome["differences"]
    out.print(f"{len(different)} differences" + "".join(f"\n  {row}" for row in different[:20]), soft_wrap=True)
    if outcome.get("kept"):
        out.print(" ".join(describe("rebuild_differs", {})), soft_wrap=True)
    return exits.FAILED if different else exits.COMPLETED


def _became(outcome: Mapping[str, Any]) -> str:
    if outcome["swapped"]:
        return "is live"
    return "was built and is not live" if outcome.get("kept") else "was built to compare, and is gone again"
