"""One stack for a data folder, and how others find it."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.errors import Rejected
from stack import folder, running
from stack.running import Running

FOUND = Running(
    pid=4711, started_at=datetime(2026, 1, 2, tzinfo=UTC), kafka="127.0.0.1:1", mongo="mongodb://127.0.0.1:2"
)


def test_a_running_stack_is_found_with_its_addresses(tmp_path: Path) -> None:
    with running.claim(tmp_path):
        running.publish(tmp_path, FOUND)
        assert running.find(tmp_path) == FOUND


def test_before_and_after_nothing_is_found(tmp_path: Path) -> None:
    assert running.find(tmp_path) is None
    with running.claim(tmp_path):
        assert running.find(tmp_path) is None
        running.publish(tmp_path, FOUND)
        running.withdraw(tmp_path)
        assert running.find(tmp_path) is None


def test_a_second_stack_on_the_same_folder_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with running.claim(tmp_path):
        running.publish(tmp_path, FOUND)
        with pytest.raises(Rejected) as refused, running.claim(tmp_path):
            pass
        assert refused.value.code == "already_running"
        assert "4711" in str(refused.value)
        assert running.find(tmp_path) == FOUND


def test_what_a_killed_stack_left_behind_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    dies = f"""
import os, pathlib, signal
from stack import running
folder = pathlib.Path({str(tmp_path)!r})
with running.claim(folder):
    running.publish(folder, running.Running.model_validate_json({FOUND.model_dump_json()!r}))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", dies], check=False).returncode == -9
    assert (tmp_path / "stack.json").exists()
    assert running.find(tmp_path) is None
    with running.claim(tmp_path):
        assert not (tmp_path / "stack.json").exists()


def test_emptying_keeps_the_downloads_and_the_lock(tmp_path: Path) -> None:
    downloads = tmp_path / "cache"
    for path in ("cache/kafka/a.jar", "kafka/log/00000.log", "blobs/t/source", "stack.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    with running.claim(tmp_path):
        folder.empty(tmp_path, keep=downloads)
        left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["cache/kafka/a.jar", "lock"]


def test_emptying_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    data = tmp_path / "data"
    data.mkdir()
    (data / "blobs").symlink_to(elsewhere)
    folder.empty(data, keep=data / "cache")
    assert list(data.iterdir()) == []
    assert (elsewhere / "precious").exists()


def test_a_folder_that_never_was_ours_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("x")
    with pytest.raises(Rejected) as refused:
        folder.check_ours(tmp_path)
    assert refused.value.code == "foreign_folder"


def test_an_empty_an_absent_and_an_own_folder_may_be_emptied(tmp_path: Path) -> None:
    folder.check_ours(tmp_path)
    folder.check_ours(tmp_path / "absent")
    with running.claim(tmp_path):
        pass
    (tmp_path / "kafka").mkdir()
    folder.check_ours(tmp_path)
