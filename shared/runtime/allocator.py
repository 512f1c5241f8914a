"""Memory that a process took for a burst of work and needs no longer."""

import ctypes
import gc
from contextlib import suppress


def give_back() -> None:
    """Return what is free to the system, once a burst is over: the allocator keeps it otherwise.

    Takes some ten milliseconds. Does nothing where the C library has no such call (musl, macOS).
    """
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
