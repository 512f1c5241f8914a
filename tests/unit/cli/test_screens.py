"""What people and programs read while documents are on their way."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cli import rows
from cli.screens import Bars, JsonLines, Lines, Screen, choose
from pagestream import Accepted
from pagestream.refusals import Refused
from tests.support.fake_gateway import told, view


def on(kind: type, terminal: bool = False, width: int = 200) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return kind(Console(file=out, width=width, force_terminal=terminal, highlight=False)), out


def test_plain_lines_come_with_each_state_and_each_ten_percent_only() -> None:
    screen, out = on(Lines)
    for version, percent in enumerate([3, 4, 9, 11, 19, 20, 35], start=1):
        screen.frame(told("update", version, percent=float(percent)))
    screen.frame(told("update", 9, "completed", percent=100.0))
    shown = [line.split("  ")[0] for line in out.getvalue().splitlines()]
    assert shown == [f"d1.pdf: processing {p} %" for p in (3, 11, 20, 35)] + ["d1.pdf: completed 100 %"]


def test_a_plain_line_says_pages_message_and_estimate() -> None:
    row = rows.of_view(view(eta_seconds={"low": 12, "high": 200}))
    assert rows.plain(row) == "d1.pdf: processing 40 %  2/5 pages  Recognised page 2 of 5  12 s to 3 min left"


def test_a_range_in_one_unit_names_the_unit_once() -> None:
    assert rows.of_view(view(eta_seconds={"low": 12, "high": 20})).eta == "12 to 20 s left"
    assert rows.of_view(view(eta_seconds={"low": 12, "high": 12})).eta == "12 s left"


def test_a_small_upload_is_worth_no_line_before_it_is_accepted() -> None:
    screen, out = on(Lines)
    screen.uploading(Path("a.pdf"), 10, 20)
    assert out.getvalue() == ""


def test_a_failed_document_says_why_where_and_what_to_do() -> None:
    error = {"code": "corrupt_pdf", "message": "The PDF is damaged.", "page": 3, "action": "Export it anew."}
    row = rows.of_view(view(status="failed", error=error, message=None, pages=None))
    assert rows.plain(row) == "d1.pdf: failed 40 %  The PDF is damaged. (page 3) Export it anew."


def test_a_partial_document_says_what_is_missing() -> None:
    row = rows.of_view(view(status="completed", partial=True, pages={"total": 5, "done": 3, "failed": [2, 4]}))
    assert row.warning == "without page 2, 4"


def test_a_file_name_cannot_steer_the_terminal() -> None:
    row = rows.of_view(view(filename="a\x1b[2J\nb.pdf"))
    assert row.name == "a [2J b.pdf"


def test_a_file_keeps_its_row_from_the_first_byte_to_the_result() -> None:
    screen, out = on(Lines)
    file = Path("some/lease.pdf")
    screen.uploading(file, 5_000_000, 10_000_000)
    screen.accepted(file, Accepted("d1"))
    screen.frame(told("snapshot", 1, filename="lease.pdf"))
    names = [line.split(": ")[1].split(" ")[0] for line in out.getvalue().splitlines()]
    assert names == ["uploading", "uploaded", "processing"]
    assert "5.0 MB of 10.0 MB" in out.getvalue()


def test_two_files_of_the_same_bytes_say_so() -> None:
    screen, out = on(Lines)
    screen.accepted(Path("a.pdf"), Accepted("d1"))
    screen.accepted(Path("b.pdf"), Accepted("d1", duplicate=True))
    assert out.getvalue().splitlines()[1].endswith("the same bytes as a.pdf")


def test_bars_show_every_document_with_its_state_and_the_reasons_below() -> None:
    screen, out = on(Bars, terminal=True)
    error = {"code": "corrupt_pdf", "message": "The PDF is damaged.", "action": "Export it anew."}
    with screen:
        screen.frame(told("snapshot", 1, document_id="[red]a", percent=42.0))
        screen.frame(told("snapshot", 1, "failed", "b", error=error))
    text = out.getvalue()
    assert "[red]a.pdf" in text
    assert " 42 %" in text
    assert "2/5 pages" in text
    assert "The PDF is damaged. Export it anew." in text.splitlines()[-1]
    assert "\x1b[1;31mfailed" in text


def test_a_deleted_and_an_unknown_document_have_a_row_too() -> None:
    screen, out = on(Lines)
    screen.frame(told("snapshot", 1, document_id="a"))
    screen.frame({"op": "deleted", "document_id": "a", "epoch": "e1", "version": 2})
    screen.frame({"op": "error", "document_id": "b", "error": {"code": "document.not_found", "detail": "None such."}})
    assert [line.split(": ")[1].split(" ")[0] for line in out.getvalue().splitlines()] == [
        "processing", "deleted", "refused",
    ]  # fmt: skip
    assert out.getvalue().rstrip().endswith("None such.")


def test_json_is_one_object_a_line_and_notes_stay_out_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    screen = JsonLines(out)
    file = Path("a.pdf")
    frame = told("update", 2, message={"text": "größer\nx"})
    with screen:
        screen.uploading(file, 1, 2)
        screen.accepted(file, Accepted("d1"))
        screen.refused(file, Refused("too_large", "Too large.", "Split it.", 413))
        screen.frame(frame)
        screen.note("Connection lost.")
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"op": "accepted", "file": "a.pdf", "document_id": "d1", "duplicate": False},
        {
            "op": "refused",
            "file": "a.pdf",
            "error": {"code": "too_large", "message": "Too large.", "action": "Split it."},
        },
        frame,
    ]
    assert capsys.readouterr().err == "Connection lost.\n"


def test_the_screen_fits_where_it_is_shown() -> None:
    out = io.StringIO()
    assert isinstance(choose(True, Console(file=out)), JsonLines)
    assert isinstance(choose(False, Console(file=out, force_terminal=True)), Bars)
    assert isinstance(choose(False, Console(file=out)), Lines)


def test_sizes_are_words() -> None:
    assert [rows.size(n) for n in (999, 3_400, 3_400_000, 5 * 10**12)] == ["999 B", "3.4 kB", "3.4 MB", "5000.0 GB"]
