"""How every service runs: one event loop, ended in order by SIGTERM, ended at once by any error.

Nothing here tries to go on after an unexpected error: the process ends with a log line, whoever supervises it starts
it again, and it continues from what is stored.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from typing import Any, Final

from shared import logs, loops
from shared.errors import Rejected, describe

log = logs.get(__name__)

_YOUNG: Final = 50_000  # objects before a collection: a batch of facts is many, and no cycle among them
_BLOCKED_SECONDS: Final = 20.0  # an event loop that is silent for so long has lost its broker sessions anyway


def run(service: Coroutine[Any, Any, None]) -> None:
    """Run a service until it ends, SIGTERM or SIGINT; exit status 1 after an error, 2 where a person must act."""
    code = 0
    gc.freeze()  # modules live as long as the process
    gc.set_threshold(_YOUNG)
    try:
        with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
            runner.run(_until_signalled(service))
    except Rejected as refused:
        print(" ".join(describe(refused.code, refused.facts)), file=sys.stderr)
        code = 2
    except Exception:
        log.exception("the service ends")
        code = 1
    sys.stdout.flush()
    os._exit(code)  # the blob store's runtime has threads that do not like an interpreter that is taken down


async def _until_signalled(service: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(service)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    watching = loop.create_task(_beat())
    try:
        await task
    except asyncio.CancelledError:
        log.info("stopped")
    finally:
        watching.cancel()


async def _beat() -> None:
    """Tell the watchdog that the loop runs; the watchdog is a thread, since a blocked loop cannot watch itself."""
    heard = [time.monotonic()]
    threading.Thread(target=_watch, args=(heard,), name="watchdog", daemon=True).start()
    while True:
        heard[0] = time.monotonic()
        await asyncio.sleep(1)


def _watch(heard: list[float]) -> None:
    while True:
        time.sleep(1)
        if time.monotonic() - heard[0] > _BLOCKED_SECONDS:
            log.critical("the event loop was blocked", seconds=_BLOCKED_SECONDS)
            os._exit(1)
