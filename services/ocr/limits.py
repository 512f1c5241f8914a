"""The limits on what is taken apart, each refused in the same words wherever it is met."""

from pathlib import Path

from shared.errors import Rejected


def check_pages(count: int, limit: int) -> None:
    """Raise Rejected("too_many_pages") for more than `limit`."""
    if count > limit:
        raise Rejected("too_many_pages", got=count, limit=limit, setting="PAGESTREAM_OCR_MAX_PAGES")


def bounded(path: Path, limit: int, *, what: str, setting: str) -> bytes:
    """The file's bytes. Raises Rejected("too_large") for more than `limit`, which `setting` sets."""
    size = path.stat().st_size
    if size > limit:
        raise Rejected("too_large", what=what, got=f"{size} bytes", limit=f"{limit} bytes", setting=setting)
    return path.read_bytes()
