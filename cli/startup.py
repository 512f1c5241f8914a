"""Prints the events of the stack while it starts, runs and stops: lines, and bars for downloads."""

from typing import Final, Self, assert_never

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.text import Text

from cli.rows import duration
from stack.events import Died, Downloading, Event, Ready, Starting, Stopped, Stopping

# Programs of other people by the names that they gave them; ours are called as their folders.
NAMES: Final = {"kafka": "Kafka", "mongodb": "MongoDB"}


def words(event: Event) -> str | None:
    """The event as one line; None where the next line covers it better."""
    name = NAMES.get(event.name, event.name)
    match event:
        case Starting(provider=provider):
            return f"{name} is starting ({provider})"
        case Ready(seconds=seconds):
            return f"{name} ready in {seconds:.1f} s"
        case Died(code=0, restart_in=wait):  # as the projector does that makes way for a rebuild
            return f"{name} ended by itself, again in {wait:g} s"
        case Died(code=code, restart_in=wait):
            return f"{name} died (exit {code}), again in {wait:g} s"
        case Stopped(seconds=seconds, killed=True):
            return f"{name} did not stop by itself and was killed after {duration(seconds)}"
        case Downloading(done=done, total=total):
            return f"{name} downloaded" if done == total else None
        case Stopping() | Stopped():
            return None
        case _:
            assert_never(event)


def tail(event: Event) -> tuple[str, ...]:
    """The last words of a program that died, the most telling ones."""
    return event.tail[-5:] if isinstance(event, Died) else ()


class Startup:
    """Prints each event; downloads have a bar on a terminal. Entered before the first event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._downloads: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_event(self, event: Event) -> None:
        if isinstance(event, Downloading):
            self._download(event)
        said = words(event)
        if said is not None:
            self._console.print(Text(said, style=_style(event)), soft_wrap=True)
        for line in tail(event):
            self._console.print(Text(f"    {line}", style="dim"), soft_wrap=True)

    def finished(self) -> None:
        """All has started: no bar is drawn any more, so that other live displays can be; events are still told."""
        self._progress.stop()

    def _download(self, event: Downloading) -> None:
        if event.name not in self._downloads:
            self._downloads[event.name] = self._progress.add_task(f"downloading {event.name}", total=event.total)
        task = self._downloads[event.name]
        self._progress.update(task, completed=event.done, total=event.total, visible=event.done < event.total)


def _style(event: Event) -> str:
    match event:
        case Ready():
            return "green"
        case Died():
            return "bold red"
        case Stopped(killed=True):
            return "yellow"
        case _:
            return "dim"
