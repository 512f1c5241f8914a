"""Imported by Python at its start, as `sitecustomize`, in services that a test wants to harm from inside."""

import gc
import signal
import sys
import time
from types import FrameType


def block(number: int, frame: FrameType | None) -> None:
    """SIGUSR1: the event loop does not run for a minute."""
    time.sleep(60)


def end_fetching(number: int, frame: FrameType | None) -> None:
    """SIGUSR2: nothing is fetched any more, and nobody is told."""
    for found in gc.get_objects():
        if type(found).__name__ == "Fetcher":
            found._fetch_task.cancel()


def end_producing(number: int, frame: FrameType | None) -> None:
    """SIGHUP: nothing is sent any more, and nobody is told."""
    for found in gc.get_objects():
        if type(found).__name__ == "Sender":
            found._sender_task.cancel()


if "-m" in sys.orig_argv and any(word.startswith("services.") for word in sys.orig_argv):
    signal.signal(signal.SIGUSR1, block)
    signal.signal(signal.SIGUSR2, end_fetching)
    signal.signal(signal.SIGHUP, end_producing)
