"""`pagestream doctor`: is everything here that Pagestream needs, and if not, what to do."""

from rich.text import Text

from cli import exits
from cli.options import Url, client, console
from shared.runtime.settings import read
from stack.settings import StackSettings


def doctor(url: Url = None) -> None:
    """Check what Pagestream needs on this machine, and the one that runs. Exit code 1 if something must be done."""
    exits.run(_doctor(url))


async def _doctor(url: str | None) -> int:
    from cli import checks  # noqa: PLC0415  Kafka's and MongoDB's clients take 0.6 s to import: only where needed

    async with client(url) as pagestream:
        found = await checks.all_of(read(StackSettings), pagestream)
    out = console()
    for check in found:
        mark = ("ok  ", "green") if check.ok else ("MISS", "bold red")
        out.print(Text.assemble(mark, f"  {check.what:<12} {check.said}"), soft_wrap=True)
        if check.advice:
            out.print(Text(f"      → {check.advice}", style="yellow"), soft_wrap=True)
    return exits.COMPLETED if all(check.ok for check in found) else exits.FAILED
