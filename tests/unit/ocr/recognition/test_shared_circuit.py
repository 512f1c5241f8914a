"""What several processes know of a provider together."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from services.ocr.recognition import shared_circuit
from services.ocr.recognition.shared_circuit import FAILURES_TO_OPEN, OPEN_SECONDS, Outages

URL: Final = "http://provider.example/read"
FAILS: Final = "import sys, pathlib; from services.ocr.recognition.shared_circuit import Outages; "
FAILS_ONCE: Final = FAILS + f"Outages(pathlib.Path(sys.argv[1]), {URL!r}).failed(None)"


def test_failures_of_different_processes_are_in_a_row(tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", FAILS_ONCE, str(tmp_path)]) for _ in range(FAILURES_TO_OPEN)]
    assert [process.wait(60) for process in processes] == [0] * FAILURES_TO_OPEN
    assert OPEN_SECONDS - 10 < Outages(tmp_path, URL).wait(trial=30.0) <= OPEN_SECONDS


def test_providers_do_not_answer_for_each_other(tmp_path: Path) -> None:
    Outages(tmp_path, URL).failed(60.0)
    assert Outages(tmp_path, "http://another.example/").wait(trial=30.0) == 0


def test_what_was_known_before_the_machine_started_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boot_id").write_text("before")
    monkeypatch.setattr(shared_circuit, "_BOOT", tmp_path / "boot_id")
    Outages(tmp_path, URL).failed(3600.0)
    assert Outages(tmp_path, URL).wait(trial=30.0) > 3500
    (tmp_path / "boot_id").write_text("after")
    assert Outages(tmp_path, URL).wait(trial=30.0) == 0


def test_a_file_that_was_written_in_part_is_a_closed_circuit(tmp_path: Path) -> None:
    Outages(tmp_path, URL).failed(60.0)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:5])
    assert Outages(tmp_path, URL).wait(trial=30.0) == 0
