"""`pagestream demo`: sample documents through the whole system, with live bars and what was found."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli import address, exits, findings
from cli.documents import extraction_if_there
from cli.following import follow
from cli.options import Url, client, console
from cli.screens import choose
from cli.up import for_ever, started, until_interrupted, where
from cli.upload import send
from pagestream import PagestreamClient
from shared.runtime.settings import read
from stack import running
from stack.running import Running
from stack.settings import StackSettings

DAMAGED = "broken.pdf"  # the sample that must fail, with a reason


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Stop everything after the results.")] = False,
    url: Url = None,
) -> None:
    """See it work: uses the running system or starts one, sends sample documents and shows what was found.

    One of them is damaged on purpose; exit code 0 means that it failed with a reason and all others completed.
    """
    exits.run(until_interrupted(_demo(leave, url)))


async def _demo(leave: bool, url: str | None) -> int:
    out = console()
    settings = read(StackSettings)
    found = running.find(settings.folder)
    if url or os.environ.get("PAGESTREAM_URL") or (found and found.gateway):
        async with client(url) as pagestream:
            code = await play(out, pagestream, settings.folder / "samples")
            out.print(f"\nThe page is at {pagestream.base_url}/", soft_wrap=True)
        return code
    async with started(out, fresh=False) as here:
        return await _here(out, here, settings.folder / "samples", leave)


async def _here(out: Console, here: Running, folder: Path, leave: bool) -> int:
    """The demo on a system of its own, which runs on afterwards unless told to `leave`."""
    where(out, here)
    async with PagestreamClient(str(here.gateway), address.key(os.environ)) as pagestream:
        code = await play(out, pagestream, folder)
    if not leave:
        where(out, here)
        await for_ever()
    return code


async def play(out: Console, pagestream: PagestreamClient, folder: Path) -> int:
    """Make the samples in `folder`, send and follow them, and print what was found; the demo's exit code."""
    from cli import samples  # noqa: PLC0415  draws with what only the extra `stack` installs

    out.print("\nFour sample documents: a scan, an invoice, a photo of a receipt, and a damaged PDF.\n", soft_wrap=True)
    files = samples.make(folder)
    with choose(False, out) as screen:
        # Forced: a second demo works again instead of finding what the first one did.
        sent = await send(pagestream, files, screen, force=True)
        endings = await follow(pagestream, [each for each in sent.values() if each], screen)
    for file in files:
        await _found(out, pagestream, sent[file])
    return exits.COMPLETED if as_expected(files, sent, endings) else exits.FAILED


def as_expected(files: Sequence[Path], sent: Mapping[Path, str | None], endings: Mapping[str, str]) -> bool:
    """Whether all samples completed but the damaged one, which failed."""
    ends = {file.name: endings.get(sent[file] or "", "refused") for file in files}
    return ends.pop(DAMAGED) == "failed" and set(ends.values()) == {"completed"}


async def _found(out: Console, pagestream: PagestreamClient, document_id: str | None) -> None:
    if document_id is None:
        return  # refused: the screen said why
    view = await pagestream.document(document_id)
    extraction = await extraction_if_there(pagestream, document_id) if view["status"] == "completed" else None
    title, *lines = findings.of_document(view, extraction)
    out.print(Text(f"\n{title}", style="bold"), soft_wrap=True)
    for line in lines:
        out.print(Text(line), soft_wrap=True)
