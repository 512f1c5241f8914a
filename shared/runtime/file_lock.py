"""Locks on files, by which processes of one machine divide something: the kernel lets go of them with their holder."""

import fcntl
import os
from pathlib import Path


def opened(path: Path) -> int:
    """The lock's file, which is made where it is missing; not locked yet."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def taken(path: Path) -> int | None:
    """The locked file, None while another process holds it. Who closes it lets go."""
    file = opened(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file
