"""Three ways to show what happens to documents: live bars, plain lines, JSON lines."""

import json
import sys
from pathlib import Path
from typing import IO, Any, Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from cli import rows
from cli.rows import Row
from pagestream import Accepted
from pagestream.protocol import Frame, target_of
from pagestream.refusals import Refused, from_error_frame

STYLES: Final = {
    "uploading": "blue",
    "uploaded": "cyan",
    "processing": "cyan",
    "processed": "cyan",
    "completed": "bold green",
    "failed": "bold red",
    "refused": "bold red",
    "running": "cyan",
    "retrying": "yellow",
    "stalled": "yellow",
    "cancelling": "yellow",
    "cancelled": "yellow",
    "deleted": "dim",
}

BIG: Final = 10_000_000  # bytes


class Screen(Protocol):
    """What the commands tell; entered before the first word and left after the last."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def uploading(self, file: Path, sent: int, total: int) -> None: ...

    def accepted(self, file: Path, accepted: Accepted) -> None: ...

    def refused(self, file: Path, refusal: Refused) -> None: ...

    def frame(self, frame: Frame) -> None: ...

    def note(self, sentence: str) -> None: ...


def choose(as_json: bool, console: Console) -> Screen:
    """JSON where asked for, bars on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonLines(console.file)
    return Bars(console) if console.is_terminal else Lines(console)


class _Rows:
    """Keeps one row per document and hands each change to `_show`; the key is the file's path or the id."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._files: dict[str, str] = {}  # document_id -> key of the file it was uploaded from

    def uploading(self, file: Path, sent: int, total: int) -> None:
        self._set(str(file), rows.uploading(file.name, sent, total))

    def accepted(self, file: Path, accepted: Accepted) -> None:
        same = self._files.setdefault(accepted.document_id, str(file))
        known = "known already" if accepted.duplicate else ""
        message = known if same == str(file) else f"the same bytes as {rows.printable(Path(same).name)}"
        self._set(str(file), Row(rows.printable(file.name), "uploaded", message=message))

    def refused(self, file: Path, refusal: Refused) -> None:
        self._set(str(file), rows.refused(Row(rows.printable(file.name), "refused"), str(refusal)))

    def frame(self, frame: Frame) -> None:
        target = target_of(frame)
        document_id = target.name if target else ""
        key = self._files.get(document_id, document_id)
        before = self._rows.get(key) or Row(document_id, "unknown")
        match frame["op"]:
            case "deleted":
                self._set(key, rows.deleted(before))
            case "error":
                self._set(key, rows.refused(before, str(from_error_frame(frame["error"]))))
            case _:
                self._set(key, rows.of_view(frame["document"]))

    def _set(self, key: str, row: Row) -> None:
        before = self._rows.get(key)
        self._rows[key] = row
        self._show(key, before, row)

    def _show(self, key: str, before: Row | None, row: Row) -> None:
        raise NotImplementedError

    def note(self, sentence: str) -> None:
        raise NotImplementedError


class Lines(_Rows):
    """Plain lines for logs and pipes: one for each new state and each further ten percent.

    Only an upload of BIG bytes or more is worth lines of its own before it is accepted.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def uploading(self, file: Path, sent: int, total: int) -> None:
        if total >= BIG:
            super().uploading(file, sent, total)

    def note(self, sentence: str) -> None:
        self._print(sentence)

    def _show(self, key: str, before: Row | None, row: Row) -> None:
        if rows.worth_a_line(before, row):
            self._print(rows.plain(row))

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _State(ProgressColumn):
    def render(self, task: Task) -> Text:
        state = task.fields["row"].state
        return Text(state, style=STYLES.get(state, ""))


class _Field(ProgressColumn):
    """One field of the row, cut to `width` characters where given."""

    def __init__(self, field: str, style: str = "", width: int | None = None) -> None:
        super().__init__()
        self._field = field
        self._style = style
        self._width = width

    def render(self, task: Task) -> Text:
        text = Text(getattr(task.fields["row"], self._field), style=self._style, no_wrap=True)
        if self._width is not None:
            text.truncate(self._width, overflow="ellipsis")
        return text


class Bars(_Rows):
    """A live bar per document; when it is left, the reasons of what failed stand below."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            _Field("name", "bold", 32),
            _State(),
            BarColumn(bar_width=24, complete_style="cyan", finished_style="green"),
            TextColumn("{task.percentage:>3.0f} %"),
            _Field("pages"),
            _Field("message", "dim", 44),
            _Field("eta"),
            _Field("warning", "yellow"),
            console=console,
            refresh_per_second=12,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        for row in self._rows.values():
            if row.reason:
                self._progress.console.print(Text.assemble((row.name, "bold"), ": ", row.reason))

    def note(self, sentence: str) -> None:
        self._progress.console.print(Text(sentence, style="yellow"))

    def _show(self, key: str, before: Row | None, row: Row) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task("", total=100.0, row=row)
        self._progress.update(self._tasks[key], completed=row.percent, row=row)


class JsonLines:
    """One JSON object a line: each frame as it came, and what happens to uploads in the same form."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def uploading(self, file: Path, sent: int, total: int) -> None:
        """Bytes on their way are no event: the answer to them is."""

    def accepted(self, file: Path, accepted: Accepted) -> None:
        done = {"document_id": accepted.document_id, "duplicate": accepted.duplicate}
        self._write({"op": "accepted", "file": str(file), **done})

    def refused(self, file: Path, refusal: Refused) -> None:
        error = {"code": refusal.code, "message": refusal.sentence, "action": refusal.action}
        self._write({"op": "refused", "file": str(file), "error": error})

    def frame(self, frame: Frame) -> None:
        self._write(frame)

    def note(self, sentence: str) -> None:
        """For people only, so not among the frames."""
        print(sentence, file=sys.stderr)

    def _write(self, value: dict[str, Any]) -> None:
        self._out.write(json.dumps(value, ensure_ascii=False) + "\n")
        self._out.flush()
