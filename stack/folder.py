"""The data folder's content: whose it is, and how it is emptied."""

import shutil
from pathlib import Path

from shared.errors import Rejected
from stack import running


def check_ours(data: Path) -> None:
    """Raises Rejected `foreign_folder` unless a stack has run on `data`, or it is empty or not there."""
    if not running.owned(data) and data.is_dir() and any(data.iterdir()):
        raise Rejected("foreign_folder", folder=str(data))


def empty(data: Path, *, keep: Path) -> None:
    """Remove everything in `data` except `keep` (a file or folder, at any depth in it) and the lock that we hold."""
    for entry in data.iterdir():
        if entry == running.lock_file(data) or entry == keep:
            continue
        if keep.is_relative_to(entry):
            empty(entry, keep=keep)
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
