"""A process without a network: it moves to a network namespace of its own, in which not even the loopback is up.

What it starts from then on is in there too. Sockets in the file system stay within reach; the namespace does not hold
them. Flags and maps: unshare(2), user_namespaces(7).
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_NEW_USER: Final = 0x10000000  # CLONE_NEWUSER of linux/sched.h
_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET


def leave() -> str | None:
    """Move this process to an empty network; None, or why the kernel refused, and then nothing has changed.

    To be called before a second thread is started. Who may not make a network namespace makes one of users around it,
    in which they stay who they are.
    """
    uid, gid = os.geteuid(), os.getegid()
    if _unshare(_NEW_NETWORK) is None:
        return None
    if refused := _unshare(_NEW_USER | _NEW_NETWORK):
        return refused
    with suppress(OSError):  # then our numbers look foreign to ourselves, and files still know us
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    return None


def _unshare(flags: int) -> str | None:
    """None, or why the kernel refused."""
    if ctypes.CDLL(None, use_errno=True).unshare(flags) == 0:
        return None
    return os.strerror(ctypes.get_errno())
