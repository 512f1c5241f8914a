"""`pagestream parked`: lists records that could not be read, with the reason, and puts them back."""

from typing import Annotated, Final

import typer
from rich.table import Table

from cli import exits
from cli.options import console
from shared.errors import Rejected, Transient
from shared.kafka import dead_letters
from shared.kafka.dead_letters import DeadLetter
from shared.kafka.producer import Producer
from shared.runtime.settings import read
from stack import running
from stack.settings import StackSettings

app = typer.Typer(help="Records that could not be read: list them, see why, put them back.", no_args_is_help=True)

ParkedId = Annotated[str, typer.Argument(metavar="ID", help="The record's id, as `parked list` shows it.")]
_SHOWN: Final = 2_000  # bytes of a record


@app.command("list", epilog=exits.HELP)
def list_parked() -> None:
    """Every parked record that is still kept, with the reason."""
    exits.run(_list())


@app.command(epilog=exits.HELP)
def show(record: ParkedId) -> None:
    """One parked record: where it was found, why it was parked, and its bytes."""
    exits.run(_show(record))


@app.command(epilog=exits.HELP)
def replay(record: ParkedId) -> None:
    """Put a parked record back on the topic that it came from, as it was."""
    exits.run(_replay(record))


async def _list() -> int:
    table = Table("id", "parked at", "bytes", "reason", box=None, pad_edge=False)
    async for parked in dead_letters.found(_broker()):
        table.add_row(parked.id, f"{parked.parked_at:%Y-%m-%d %H:%M:%S}", str(parked.length), parked.reason)
    out = console()
    if table.row_count:
        out.print(table)
    else:
        out.print("Nothing is parked.")
    return exits.COMPLETED


async def _show(record: str) -> int:
    parked = await _find(record)
    out = console()
    out.print(f"{parked.id}: found on the topic {parked.topic}, parked at {parked.parked_at:%Y-%m-%d %H:%M:%S} UTC")
    out.print(f"reason   {parked.reason}", markup=False)
    out.print(f"key      {parked.key!r}", markup=False)
    for name, value in parked.headers:
        out.print(f"header   {name}: {value!r}", markup=False)
    more = f" … and {parked.length - _SHOWN} bytes more" if parked.length > _SHOWN else ""
    if parked.is_cut:
        out.print(f"kept     the first {len(parked.value)} of {parked.length} bytes: it cannot be put back")
    out.print(f"value    {parked.value[:_SHOWN]!r}{more}", markup=False)
    return exits.COMPLETED


async def _replay(record: str) -> int:
    parked = await _find(record)
    async with Producer.connect(_broker()) as producer:
        await dead_letters.replay(producer, parked)
    console().print(f"{parked.id} is on the topic {parked.topic} again.")
    return exits.COMPLETED


async def _find(record: str) -> DeadLetter:
    async for parked in dead_letters.found(_broker()):
        if parked.id == record:
            return parked
    raise Rejected("not_parked", record=record)


def _broker() -> str:
    """The broker's address: of the settings, else of the stack that runs in this folder. Raises Transient."""
    settings = read(StackSettings)
    here = running.find(settings.folder)
    if settings.kafka or here:
        return settings.kafka or str(here and here.kafka)
    raise Transient("not_running", folder=str(settings.data))
