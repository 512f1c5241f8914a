"""The watchdog of a real process whose loop is blocked, also by code that holds the interpreter's lock."""

import subprocess
import sys
from pathlib import Path

import pytest

SERVICE = """
import asyncio, re, sys, time
from pathlib import Path
from shared.runtime.watchdog import beat

async def serve():
    watching = asyncio.create_task(beat(Path(sys.argv[1]), within=2.0))
    await asyncio.sleep(2.5)
    {then}

asyncio.run(serve())
"""
BLOCKED = {
    "sleeps": "time.sleep(60)",
    "holds the lock": "re.match(r'(a|aa)+$', 'a' * 60 + 'b')",
}


@pytest.mark.parametrize("then", BLOCKED.values(), ids=BLOCKED)
def test_a_process_whose_loop_is_blocked_ends_and_says_where_it_stood(tmp_path: Path, then: str) -> None:
    ended = run(tmp_path, then)
    assert ended.returncode == 1
    assert b"Timeout" in ended.stderr
    assert b"in serve" in ended.stderr


def test_one_whose_loop_runs_goes_on_and_touches_its_heartbeat(tmp_path: Path) -> None:
    ended = run(tmp_path, "await asyncio.sleep(1); watching.cancel()")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (tmp_path / "heartbeat").exists()


def run(tmp_path: Path, then: str) -> subprocess.CompletedProcess[bytes]:
    code = SERVICE.format(then=then)
    return subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "heartbeat")], capture_output=True, timeout=60, check=False
    )
