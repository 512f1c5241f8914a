"""How every service runs: one event loop, ended in order by SIGTERM, ended at once by any error.

Nothing here tries to go on after an unexpected error: the process ends with a log line, its supervisor starts
it again, and it continues from what is stored.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from shared.error_catalog import describe
from shared.errors import Rejected
from shared.runtime import event_loop, logs
from shared.runtime.watchdog import BLOCKED_SECONDS, beat

log = logs.get(__name__)

_YOUNG: Final = 50_000  # objects before a collection: a batch of facts is many, and no cycle among them


def run(
    service: Coroutine[Any, Any, None], heartbeat: Path | None = None, blocked_seconds: float = BLOCKED_SECONDS
) -> None:
    """Run a service until it ends, SIGTERM or SIGINT; exit status 1 after an error, 2 where a person must act.

    `heartbeat` is a file that is touched every second while the event loop runs. A loop that is silent for
    `blocked_seconds` ends the process.
    """
    code = 0
    gc.freeze()  # modules live as long as the process
    gc.set_threshold(_YOUNG)
    try:
        with asyncio.Runner(loop_factory=event_loop.new_event_loop) as runner:
            runner.run(_until_signalled(service, beat(heartbeat, blocked_seconds)))
    except Exception as error:
        refused = _refusal(error)
        if refused:
            print(" ".join(describe(refused.code, refused.facts)), file=sys.stderr)
        else:
            log.exception("the service ends")
        code = 2 if refused else 1
    sys.stdout.flush()
    os._exit(code)  # the blob store's runtime has threads that do not like an interpreter that is taken down


def _refusal(error: BaseException) -> Rejected | None:
    """The refusal that ended the service, also where other tasks ended with it."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_refusal, error.exceptions)), None)
    return error if isinstance(error, Rejected) else None


async def _until_signalled(service: Coroutine[Any, Any, None], watchdog: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(service)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    watching = loop.create_task(watchdog)
    try:
        await task
    except asyncio.CancelledError:
        log.info("stopped")
    finally:
        watching.cancel()
