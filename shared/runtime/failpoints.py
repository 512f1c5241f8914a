"""Failpoints: places between two side effects where a test lets the process kill itself.

`PAGESTREAM_CRASH_AT=ocr.appended` kills the process there, with SIGKILL, the first time it is reached. With a number,
`ocr.appended#2`, the second time. `PAGESTREAM_CRASH_MARK` names a file that is created by the crash, so that the
restarted process does not crash again. Without the setting a failpoint costs one comparison.

`PAGESTREAM_RAISE_AT=progress.load#DOCUMENT_ID` raises `Provoked` there for this one document, each time.
"""

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Final

_NAME, _, _COUNT = os.environ.get("PAGESTREAM_CRASH_AT", "").partition("#")
_TIME: Final = int(_COUNT or 1)
_MARK: Final = os.environ.get("PAGESTREAM_CRASH_MARK", "")
_reached: Counter[str] = Counter()
_RAISE, _, _DOCUMENT = os.environ.get("PAGESTREAM_RAISE_AT", "").partition("#")


class Provoked(Exception):
    """The error that a failpoint was told to raise."""


def reach(name: str) -> None:
    """Die here if this is the place and the time."""
    if name != _NAME:
        return
    _reached[name] += 1
    if _reached[name] == _TIME and _mark():
        os.kill(os.getpid(), signal.SIGKILL)


def provoke(name: str, document_id: str) -> None:
    """Raise here if this is the place and the document. Raises Provoked."""
    if name == _RAISE and document_id == _DOCUMENT:
        raise Provoked(f"{name} of {document_id}")


def _mark() -> bool:
    """Leave the mark; False where an earlier life has left it."""
    if not _MARK:
        return True
    try:
        Path(_MARK).open("x").close()
    except FileExistsError:
        return False
    return True
