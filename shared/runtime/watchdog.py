"""Ends a process whose event loop stands still: it lives but does not answer, and only a new process helps.

What blocks a loop may hold the interpreter's lock (a regular expression, a JSON document), so neither the loop nor a
thread of Python can watch it. The timer of `faulthandler` is a thread of C that needs no lock: it writes where the
process stands and ends it.
"""

import asyncio
import faulthandler
from pathlib import Path
from typing import Final

BLOCKED_SECONDS: Final = 20.0  # a loop that is silent for so long has lost its broker sessions anyway


async def beat(heartbeat: Path | None = None, within: float = BLOCKED_SECONDS) -> None:
    """Put the end off every second, as long as the loop runs, and touch the file `heartbeat`; until cancelled.

    A loop that is silent for `within` seconds ends the process with status 1 and a traceback on standard error.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(within, exit=True)
            if heartbeat:
                heartbeat.touch()  # noqa: ASYNC240 — it vouches for this loop, so it runs in it
            await asyncio.sleep(1)
    finally:
        faulthandler.cancel_dump_traceback_later()
