"""The limits on what is taken apart, each refused in the same words wherever it is met."""

from pathlib import Path

from shared.errors import Rejected


def check_pages(count: int, most: int) -> None:
    """Raise Rejected("too_many_pages") for more than `most`."""
    if count > most:
        raise Rejected("too_many_pages", got=count, limit=most, setting="PAGESTREAM_OCR_MAX_PAGES")


def bounded(path: Path, most: int, *, what: str, setting: str) -> bytes:
    """The file's bytes. Raises Rejected("too_large") for more than `most`, which `setting` sets."""
    size = path.stat().st_size
    if size > most:
        raise Rejected("too_large", what=what, got=f"{size} bytes", limit=f"{most} bytes", setting=setting)
    return path.read_bytes()
