"""The running stack of a data folder: one at a time by a lock, found by others through `stack.json`."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import Rejected


class Running(BaseModel):
    """Who runs since when, and the addresses under which the parts answer. `gateway` is None without services."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    started_at: datetime
    kafka: str  # as in PAGESTREAM_KAFKA
    mongo: str  # as in PAGESTREAM_MONGO
    gateway: str | None = None  # URL
    gateway_port: int | None = None


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Be the only stack on `folder` until left; the kernel ends the claim with the process, however it dies.

    Raises Rejected `already_running`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with lock_file(folder).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = _read(folder)
            raise Rejected("already_running", folder=str(folder), pid=other.pid if other else None) from error
        withdraw(folder)  # what a killed one left behind
        yield


def owned(folder: Path) -> bool:
    """Whether a stack ever ran here: the proof that what lies in `folder` is ours to delete."""
    return lock_file(folder).exists()


def publish(folder: Path, running: Running) -> None:
    """Let `find` see it; readers never see half a file."""
    beside = _file(folder).with_suffix(".json.new")
    beside.touch(mode=0o600)  # the addresses may hold passwords
    beside.write_text(running.model_dump_json(indent=2))
    beside.replace(_file(folder))


def withdraw(folder: Path) -> None:
    """`find` sees nothing any more."""
    _file(folder).unlink(missing_ok=True)


def find(folder: Path) -> Running | None:
    """The stack that runs on `folder`, None if there is none or if it died without a word.

    The lock tells, not the pid: pids are used again, in a container nearly always the same ones.
    """
    running = _read(folder)
    return running if running and _locked(folder) else None


def _locked(folder: Path) -> bool:
    try:
        with lock_file(folder).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look do not take each other for a stack
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _read(folder: Path) -> Running | None:
    try:
        return Running.model_validate_json(_file(folder).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _file(folder: Path) -> Path:
    return folder / "stack.json"


def lock_file(folder: Path) -> Path:
    """The file whose lock means that a stack runs."""
    return folder / "lock"
