"""Follow documents on a screen until all have ended."""

from collections.abc import Iterable
from contextlib import aclosing

from cli.screens import Screen
from pagestream.client import NOTHING, Have, PagestreamClient


async def follow(client: PagestreamClient, ids: Iterable[str], screen: Screen, have: Have = NOTHING) -> dict[str, str]:
    """How each document ended: "completed", "failed", "cancelled", "deleted" or "refused", by document id."""
    endings: dict[str, str] = {}

    def lost(reason: str, seconds: float) -> None:
        screen.note(f"{reason[:1].upper()}{reason[1:]}; back in {seconds:.1f} s.")

    client.on_lost = lost
    async with aclosing(client.watch(ids, have=have)) as states:
        async for state in states:
            screen.frame(state.frame)
            if state.ending is not None:
                endings[state.target.name] = state.ending
    return endings
