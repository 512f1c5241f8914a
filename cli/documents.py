"""`pagestream list`, `show`, `retry`, `cancel`: ask about documents, and what a person may do to one."""

import json
from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from cli import exits, findings, folds, rows
from cli.following import follow
from cli.options import AsJson, DocumentId, Url, client, console
from cli.screens import STYLES, choose
from pagestream import PagestreamClient
from pagestream.refusals import Refused
from pagestream.views import DocumentView, Extraction
from shared.runtime.settings import read
from stack.settings import StackSettings

_AT_ONCE: Final = 200  # documents of one answer


def list_documents(
    status: Annotated[str | None, typer.Option(help="Only documents in this state, e.g. failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first; any number.")] = 50,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List documents, newest first."""
    exits.run(_list(status, limit, as_json, url))


def show(
    document_id: DocumentId,
    at: Annotated[
        int | None, typer.Option("--at", metavar="VERSION", help="As it was then, folded from the log.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show a document: its state, what was found in it and what happened to it."""
    exits.run(_show(document_id, as_json, url) if at is None else _show_at(document_id, at, as_json))


def retry(
    document_id: DocumentId,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it has ended again.")] = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Run again what failed or was cancelled; finished pages stay finished."""
    exits.run(_retry(document_id, watch, as_json, url))


def cancel(document_id: DocumentId, url: Url = None) -> None:
    """Stop the work on a document; finished pages stay."""
    exits.run(_cancel(document_id, url))


async def _show_at(document_id: str, version: int, as_json: bool) -> int:
    """The view at a version, from the log of the stack in this folder."""
    settings = read(StackSettings)
    out = console()
    async with folds.infrastructure(settings) as here:
        async for view in folds.output_of(settings, here, "services.progress.history", document_id, str(version)):
            if "error" in view and "status" not in view:
                raise Refused("not_in_log", view["error"], "")
            if as_json:
                out.file.write(json.dumps(view, ensure_ascii=False) + "\n")
            else:
                out.print("\n".join(findings.of_document(view, None)), markup=False, soft_wrap=True)
    return exits.COMPLETED


async def _list(status: str | None, limit: int, as_json: bool, url: str | None) -> int:
    async with client(url) as pagestream:
        views = await _newest(pagestream, status, limit)
    out = console()
    if as_json:
        for view in views:
            out.file.write(json.dumps(view, ensure_ascii=False) + "\n")
    elif views:
        out.print(_table(views))
    else:
        out.print("No documents." if status is None else f"No documents that are {status}.")
    return exits.COMPLETED


async def _newest(pagestream: PagestreamClient, status: str | None, limit: int) -> list[DocumentView]:
    """Up to `limit` views; the gateway may hand them out in smaller portions."""
    views: list[DocumentView] = []
    cursor = None
    while len(views) < limit:
        page = await pagestream.documents(status, min(limit - len(views), _AT_ONCE), cursor)
        views += page["documents"]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    return views[:limit]


def _table(views: Sequence[DocumentView]) -> Table:
    table = Table("id", "name", "state", "%", "pages", "uploaded", "", box=None, pad_edge=False)
    for view in views:
        row = rows.of_view(view)
        state = Text(row.state, style=STYLES.get(row.state, ""))
        uploaded = str(view.get("uploaded_at") or "")[:19].replace("T", " ")
        said = row.reason or row.warning or row.message
        cells = (row.name, state, f"{row.percent:.0f}", row.pages, uploaded, said)
        table.add_row(Text(view["document_id"], no_wrap=True), *(Text(c) if isinstance(c, str) else c for c in cells))
    return table


async def _show(document_id: str, as_json: bool, url: str | None) -> int:
    async with client(url) as pagestream:
        view = await pagestream.document(document_id)
        events = (await pagestream.timeline(document_id))["events"]
        extraction = await extraction_if_there(pagestream, document_id)
    out = console()
    if as_json:
        out.file.write(json.dumps({"document": view, "extraction": extraction, "events": events}) + "\n")
        return exits.COMPLETED
    for line in (*findings.of_document(view, extraction), "", *map(findings.of_event, events)):
        out.print(line, markup=False, soft_wrap=True)
    return exits.COMPLETED


async def extraction_if_there(pagestream: PagestreamClient, document_id: str) -> Extraction | None:
    """The extraction, None while there is none (yet)."""
    try:
        return await pagestream.extraction(document_id)
    except Refused as refusal:
        if refusal.status == 409:
            return None
        raise


async def _retry(document_id: str, watch: bool, as_json: bool, url: str | None) -> int:
    screen = choose(as_json, console())
    async with client(url) as pagestream:
        before = await pagestream.document(document_id)
        await pagestream.retry(document_id)
        if not watch:
            console().print(f"{document_id} runs again: pagestream watch {document_id}", markup=False, soft_wrap=True)
            return exits.COMPLETED
        # It has ended once already: only what comes after that counts.
        have = {document_id: (str(before["epoch"]), int(before["version"]))}
        with screen:
            endings = await follow(pagestream, [document_id], screen, have)
    return exits.of_endings(endings.values())


async def _cancel(document_id: str, url: str | None) -> int:
    async with client(url) as pagestream:
        await pagestream.cancel(document_id)
    console().print(f"{document_id} is being cancelled.", markup=False)
    return exits.COMPLETED
