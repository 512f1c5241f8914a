"""The commands as a person runs them: what they print and how they exit."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from pagestream import backoff
from tests.support.extractions import a_finding, an_extraction
from tests.support.fake_gateway import FakeGateway, told, view


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No waits before coming back, and no stack or settings of the machine."""
    monkeypatch.setattr(backoff, "FIRST", 0.0)
    monkeypatch.chdir(tmp_path)
    for name in ("PAGESTREAM_URL", "PAGESTREAM_KEY", "PAGESTREAM_DATA"):
        monkeypatch.delenv(name, raising=False)


def pagestream(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(app, words, env=environment)


def json_lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def files(tmp_path: Path):
    for name in ("a.pdf", "b.pdf"):
        (tmp_path / name).write_text(name)
    return [str(tmp_path / "a.pdf"), str(tmp_path / "b.pdf")]


def accepting(gateway: FakeGateway, *ids: str) -> None:
    gateway.http["POST /v1/documents"] = [(202, {"document_id": document_id}) for document_id in ids]


def test_upload_watches_to_the_end_and_exits_with_zero(gateway: FakeGateway, files) -> None:
    accepting(gateway, "d1")
    gateway.sockets = [(1, [told("snapshot", 1), told("update", 2, "completed", percent=100.0)])]
    result = pagestream("upload", files[0], "--url", gateway.url)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].startswith("d1.pdf: completed 100 %")


def test_one_failed_document_makes_the_exit_code_one(gateway: FakeGateway, files) -> None:
    accepting(gateway, "d1", "d2")
    gateway.sockets = [(2, [told("snapshot", 1, "completed"), told("snapshot", 1, "failed", "d2")])]
    assert pagestream("upload", *files, "--url", gateway.url, "--json").exit_code == 1


def test_upload_without_watching_ends_when_all_are_accepted(gateway: FakeGateway, files) -> None:
    accepting(gateway, "d1", "d2")
    result = pagestream("upload", *files, "--no-watch", "--json", PAGESTREAM_URL=gateway.url)
    assert result.exit_code == 0
    assert sorted(line["document_id"] for line in json_lines(result)) == ["d1", "d2"]
    assert gateway.subscribed == []


def test_a_refused_file_is_told_the_others_go_on_and_the_exit_code_is_two(gateway: FakeGateway, files) -> None:
    too_large = (413, {"code": "too_large", "detail": "The file is 2 GB.", "action": "Split it."})
    gateway.http["POST /v1/documents"] = [too_large, (202, {"document_id": "d1"})]
    gateway.sockets = [(1, [told("snapshot", 1, "completed")])]
    result = pagestream("upload", *files, "--url", gateway.url)
    assert result.exit_code == 2
    assert "refused 0 %  The file is 2 GB. Split it." in result.stdout
    assert "d1.pdf: completed" in result.stdout


def test_a_missing_file_is_wrong_usage(gateway: FakeGateway) -> None:
    assert pagestream("upload", "nowhere.pdf", "--url", gateway.url).exit_code == 2
    assert gateway.requests == []


@pytest.mark.parametrize("command", [["list"], ["watch", "d1"], ["show", "d1"], ["retry", "d1"], ["cancel", "d1"]])
def test_nobody_there_is_one_sentence_and_exit_code_three(nobody, command) -> None:
    result = pagestream(*command, "--url", nobody)
    assert result.exit_code == 3
    assert result.stderr == f"No Pagestream at {nobody} — start it with `pagestream up`\n"


def test_watch_prints_each_frame_as_a_json_line(gateway: FakeGateway) -> None:
    frames = [told("snapshot", 1), told("update", 2, "cancelled")]
    gateway.sockets = [(1, frames)]
    result = pagestream("watch", "d1", "--json", "--url", gateway.url)
    assert json_lines(result) == frames
    assert result.exit_code == 1


def test_watch_of_an_unknown_document_exits_with_two(gateway: FakeGateway) -> None:
    error = {"op": "error", "ref": 0, "error": {"code": "document.not_found", "detail": "No such document."}}
    gateway.sockets = [(1, [error])]
    result = pagestream("watch", "nope", "--url", gateway.url)
    assert result.exit_code == 2
    assert "No such document." in result.stdout


def test_retry_with_watch_does_not_take_the_old_failure_for_the_new_end(gateway: FakeGateway) -> None:
    gateway.http["GET /v1/documents/d1"] = [(200, view(status="failed", version=10))]
    gateway.http["POST /v1/documents/d1/retry"] = [(202, {})]
    gateway.sockets = [(1, [told("snapshot", 10, "failed"), told("update", 11), told("update", 12, "completed")])]
    result = pagestream("retry", "d1", "--watch", "--json", "--url", gateway.url)
    assert result.exit_code == 0
    assert [line["version"] for line in json_lines(result)] == [11, 12]
    assert gateway.subscribed[0][0]["have"] == {"epoch": "e1", "version": 10}


def test_a_retry_that_makes_no_sense_is_refused_in_words(gateway: FakeGateway) -> None:
    gateway.http["GET /v1/documents/d1"] = [(200, view(status="completed"))]
    gateway.http["POST /v1/documents/d1/retry"] = [(409, {"code": "conflict", "detail": "Nothing failed."})]
    result = pagestream("retry", "d1", "--url", gateway.url)
    assert (result.exit_code, result.stderr) == (2, "Nothing failed.\n")


def test_cancel_says_that_it_is_on_its_way(gateway: FakeGateway) -> None:
    gateway.http["POST /v1/documents/d1/cancel"] = [(202, {})]
    result = pagestream("cancel", "d1", "--url", gateway.url)
    assert (result.exit_code, result.stdout) == (0, "d1 is being cancelled.\n")


def test_list_goes_on_to_the_next_portion_until_the_limit(gateway: FakeGateway) -> None:
    gateway.http["GET /v1/documents"] = [
        (200, {"documents": [view("a"), view("b")], "next_cursor": "c"}),
        (200, {"documents": [view("c"), view("d")], "next_cursor": "e"}),
    ]
    result = pagestream("list", "--limit", "3", "--json", "--url", gateway.url)
    assert [line["document_id"] for line in json_lines(result)] == ["a", "b", "c"]


def test_list_shows_a_row_per_document(gateway: FakeGateway) -> None:
    gateway.http["GET /v1/documents"] = [(200, {"documents": [view("a"), view("b", "failed")], "next_cursor": None})]
    lines = pagestream("list", "--url", gateway.url).stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["a", "a.pdf", "processing"], ["b", "b.pdf", "failed"]]


def test_an_empty_list_is_a_sentence(gateway: FakeGateway) -> None:
    gateway.http["GET /v1/documents"] = [(200, {"documents": [], "next_cursor": None})]
    assert pagestream("list", "--status", "failed", "--url", gateway.url).stdout == "No documents that are failed.\n"


def shown(gateway: FakeGateway) -> None:
    finding = a_finding("total_amount", "EUR 4,626.18", "4626.18", page=2)
    event = {"version": 1000000, "event_id": "x", "type": "DocumentUploaded", "at": "2025-03-17T09:00:01.250000Z",
             "stage": None, "attempt": None, "page": None, "summary": "Uploaded"}  # fmt: skip
    warning = {"code": "sum_mismatch", "text": "No sum."}
    extraction = an_extraction("Invoice 7", [finding], [warning])
    gateway.http = {
        "GET /v1/documents/d1": [(200, view(status="completed", percent=100.0))],
        "GET /v1/documents/d1/timeline": [(200, {"events": [event]})],
        "GET /v1/documents/d1/extraction": [(200, extraction)],
    }  # fmt: skip


def test_show_tells_state_findings_and_history(gateway: FakeGateway) -> None:
    shown(gateway)
    assert pagestream("show", "d1", "--url", gateway.url).stdout.splitlines() == [
        "d1.pdf  completed, 100 %, 2/5 pages",
        "  invoice: Invoice 7",
        "  total amount        4626.18  (page 2)",
        "  note: No sum.",
        "",
        "     1000000  09:00:01.250  Uploaded",
    ]


def test_show_of_an_unfinished_document_has_no_findings_yet(gateway: FakeGateway) -> None:
    shown(gateway)
    gateway.http["GET /v1/documents/d1/extraction"] = [(409, {"code": "not_ready", "detail": "Not there yet."})]
    result = pagestream("show", "d1", "--json", "--url", gateway.url)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["extraction"] is None


@pytest.mark.parametrize("command", ["upload", "watch", "retry", "demo", "up"])
def test_the_help_of_each_command_documents_its_exit_codes(command: str) -> None:
    assert "Exit codes: 0 all completed; 1 some failed" in " ".join(pagestream(command, "--help").stdout.split())
