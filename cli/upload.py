"""`pagestream upload`: send files and watch them until their results are there."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from cli import exits
from cli.following import follow
from cli.options import AsJson, Url, client, console
from cli.screens import Screen, choose
from pagestream import PagestreamClient
from pagestream.refusals import Refused

AT_ONCE: Final = 4  # uploads side by side: enough to fill the line, few enough to finish one after the other

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="Files to upload.")
]


def upload(
    files: Files,
    watch: Annotated[bool, typer.Option(help="Stay until the results are there.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Run again what was uploaded before.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Upload files and watch them until their results are there."""
    exits.run(_upload(files, watch, force, choose(as_json, console()), url))


async def _upload(files: Sequence[Path], watch: bool, force: bool, screen: Screen, url: str | None) -> int:
    async with client(url) as pagestream:
        with screen:
            sent = await send(pagestream, files, screen, force)
            accepted = {file: document_id for file, document_id in sent.items() if document_id}
            endings = await follow(pagestream, accepted.values(), screen) if watch else {}
    refused = ["refused"] * (len(sent) - len(accepted))
    return exits.of_endings([*endings.values(), *refused])


async def send(
    client: PagestreamClient, files: Sequence[Path], screen: Screen, force: bool = False
) -> dict[Path, str | None]:
    """Upload, a few side by side: the document id of each file, None for one that was refused."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(file: Path) -> str | None:
        async with places:
            try:
                accepted = await client.upload(file, force=force, progress=partial(screen.uploading, file))
            except Refused as refusal:
                screen.refused(file, refusal)
                return None
            screen.accepted(file, accepted)
            return accepted.document_id

    return dict(zip(files, await asyncio.gather(*map(one, files)), strict=True))
