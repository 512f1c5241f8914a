"""`pagestream keys`: who may call. From the first key on every call needs one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli import exits, folds
from cli.options import console
from shared.runtime.settings import SharedSettings, read
from shared.storage.credentials import DEFAULT_TENANT
from stack.settings import StackSettings

if TYPE_CHECKING:
    from shared.storage.api_keys import Keys

app = typer.Typer(help="API keys: make, list and revoke them.", no_args_is_help=True)

TenantName = Annotated[str, typer.Option("--tenant", help="Whose documents the key opens.")]
KeyName = Annotated[str, typer.Option("--name", help="What the key is for; shown by `keys list`.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")]


@app.command(epilog=exits.HELP)
def add(tenant: TenantName = DEFAULT_TENANT, name: KeyName = "") -> None:
    """Make a key. It is printed once, alone on standard output, and stored nowhere."""
    exits.run(_add(tenant, name))


@app.command("list", epilog=exits.HELP)
def list_keys() -> None:
    """Every key there ever was, without its secret."""
    exits.run(_list())


@app.command(epilog=exits.HELP)
def revoke(key: KeyId) -> None:
    """Let a key open nothing any more, nor the tokens made with it; what is open is closed within two seconds."""
    exits.run(_revoke(key))


async def _add(tenant: str, name: str) -> int:
    async with _keys() as keys:
        issued = await keys.add(tenant, name)
    typer.echo(
        f"Key {issued.id} of the tenant {tenant}. It is shown this once: keep it, and set PAGESTREAM_KEY.", err=True
    )
    typer.echo(issued.secret)
    return exits.COMPLETED


async def _list() -> int:
    table = Table("id", "tenant", "name", "made", "revoked", box=None, pad_edge=False)
    async with _keys() as keys:
        for key in await keys.listed():
            revoked = f"{key['revoked_at']:%Y-%m-%d %H:%M}" if key["revoked_at"] else ""
            table.add_row(key["_id"], key["tenant"], key["name"], f"{key['created_at']:%Y-%m-%d %H:%M}", revoked)
    console().print(
        table if table.row_count else "There are no keys: every program on this machine may call the gateway."
    )
    return exits.COMPLETED


async def _revoke(key: str) -> int:
    async with _keys() as keys:
        await keys.revoke(key)
    console().print(f"The key {key} is revoked.")
    return exits.COMPLETED


@asynccontextmanager
async def _keys() -> AsyncIterator["Keys"]:
    """The keys of the system of this folder, running or not."""
    from shared.storage import mongo  # noqa: PLC0415  its driver takes 0.3 s to import, which no other command should pay
    from shared.storage.api_keys import Keys  # noqa: PLC0415

    async with _address(read(StackSettings)) as address:
        settings = read(SharedSettings).model_copy(update={"mongo": address})
        async with mongo.connect(settings) as database:
            keys = Keys(database)
            await keys.prepare()
            yield keys


@asynccontextmanager
async def _address(settings: StackSettings) -> AsyncIterator[str]:
    if settings.mongo:
        yield settings.mongo
    else:
        async with folds.infrastructure(settings) as here:
            yield here.mongo
