"""The options that several commands share, and what they open."""

import os
import sys
from typing import Annotated, Final

import typer
from rich.console import Console

from cli import address
from pagestream import PagestreamClient

PIPE_WIDTH: Final = 1000  # characters

Url = Annotated[
    str | None,
    typer.Option("--url", help="Where Pagestream is; else PAGESTREAM_URL, the stack of this folder, port 8000 here."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs, one object a line.")]
DocumentId = Annotated[str, typer.Argument(metavar="ID", help="The document's id, as `list` shows it.")]


def client(url: str | None) -> PagestreamClient:
    """A client for `--url` or what stands in for it, with the key from PAGESTREAM_KEY."""
    return PagestreamClient(address.find(url, os.environ), address.key(os.environ))


def console() -> Console:
    """Standard output; made when needed, since tests and pipes replace it. Into a pipe nothing is wrapped."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
