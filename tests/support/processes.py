"""Processes as the kernel shows them."""

from collections.abc import Iterator
from pathlib import Path


def commands() -> Iterator[tuple[int, list[str]]]:
    """The pid and the command line of every process of this machine that is no zombie."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (command := _read(entry / "cmdline")):
            yield int(entry.name), command.rstrip("\0").split("\0")


def parent_of(pid: int) -> int | None:
    """The parent of a process, None when the process is gone."""
    status = _read(Path(f"/proc/{pid}/stat"))
    return int(status.rpartition(")")[2].split()[1]) if status else None


def environment(pid: int) -> list[str]:
    """What a process was started with, as NAME=value; nothing when it is gone."""
    return _read(Path(f"/proc/{pid}/environ")).split("\0")


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    status = _read(Path(f"/proc/{pid}/stat"))
    return bool(status) and status.rpartition(")")[2].split()[0] not in "ZX"


def mapped(pid: int) -> str:
    """What a process has in memory: the files of its libraries among other things; nothing when it is gone."""
    return _read(Path(f"/proc/{pid}/maps"))


def peak_memory(pid: int) -> int:
    """The most memory that was ever resident, in MiB; 0 when the process is gone."""
    lines = _read(Path(f"/proc/{pid}/status")).splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)


def below(pid: int) -> list[int]:
    """The processes that `pid` has started, those that they have started, and so on."""
    children: dict[int | None, list[int]] = {}
    for one, _ in commands():
        children.setdefault(parent_of(one), []).append(one)
    found, queue = [], [pid]
    while queue:
        started = children.get(queue.pop(), [])
        found += started
        queue += started
    return found


def naming(word: str) -> list[int]:
    """The processes with an argument that contains `word`."""
    return [pid for pid, command in commands() if any(word in argument for argument in command)]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
