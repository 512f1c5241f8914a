"""The `pagestream` command: one module per noun, put together here."""

import typer

from cli import demo, doctor, documents, exits, keys, parked, rebuild, up, upload, watch

app = typer.Typer(
    name="pagestream",
    help="Documents go in, and everyone who waits for them sees the truth, live, until the results are there.",
    epilog=exits.HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(epilog=exits.HELP)(demo.demo)
app.command(epilog=exits.HELP)(up.up)
app.command(epilog=exits.HELP)(upload.upload)
app.command(epilog=exits.HELP)(watch.watch)
app.command("list", epilog=exits.HELP)(documents.list_documents)
app.command(epilog=exits.HELP)(documents.show)
app.command(epilog=exits.HELP)(documents.retry)
app.command(epilog=exits.HELP)(documents.cancel)
app.command(epilog=exits.HELP)(rebuild.rebuild)
app.add_typer(parked.app, name="parked")
app.add_typer(keys.app, name="keys")
app.command(epilog=exits.HELP)(doctor.doctor)


def main() -> None:
    """Entry point of the installed command."""
    app()


if __name__ == "__main__":
    main()
