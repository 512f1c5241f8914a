"""A worker's private folders, named by its process so that what a killed one left behind can be told and removed."""

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"pagestream-(\d+)-")


def make() -> Path:
    """A new empty folder; the caller removes it."""
    return Path(tempfile.mkdtemp(prefix=f"pagestream-{os.getpid()}-"))


def sweep() -> None:
    """Remove the folders of processes that are gone; to be called before the first is made. Blocks."""
    for folder in Path(tempfile.gettempdir()).iterdir():
        maker = _NAME.match(folder.name)
        if maker and not _lives(int(maker[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    if pid == os.getpid():
        return False  # an earlier life in a container, where each has the same number
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
