"""`pagestream watch`: live bars of documents and jobs that are on their way."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cli import exits
from cli.following import follow
from cli.options import AsJson, Url, client, console
from cli.screens import Screen, choose


def watch(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Document ids, as `list` shows them, or job ids.")],
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Watch documents and jobs until all have ended."""
    exits.run(_watch(ids, choose(as_json, console()), url))


async def _watch(ids: Sequence[str], screen: Screen, url: str | None) -> int:
    async with client(url) as pagestream:
        with screen:
            endings = await follow(pagestream, ids, screen)
    return exits.of_endings(endings.values())
