"""Follow documents on a screen until all have ended."""

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from types import MappingProxyType

from cli.client import Client
from cli.frames import Position, ending, id_of
from cli.screens import Screen


async def follow(
    client: Client, ids: Iterable[str], screen: Screen, have: Mapping[str, Position] = MappingProxyType({})
) -> dict[str, str]:
    """How each document ended: "completed", "failed", "cancelled", "deleted" or "refused", by document id."""
    endings: dict[str, str] = {}

    def lost(reason: str, seconds: float) -> None:
        screen.note(f"{reason[:1].upper()}{reason[1:]}; back in {seconds:.1f} s.")

    async with aclosing(client.watch(ids, have=have, on_lost=lost)) as frames:
        async for frame in frames:
            screen.frame(frame)
            how = ending(frame)
            if how is not None:
                endings[str(id_of(frame))] = how
    return endings
