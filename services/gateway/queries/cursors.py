"""Cursors of lists: where the last page ended, as an opaque word that cannot be anything else."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from services.gateway.problems import Problem

HIGHEST: Final = 2**53 - 1  # what a browser counts to; the database's integers end later


class After(NamedTuple):
    """The end of a page of documents."""

    at: datetime
    key: str


def write(*parts: str | int) -> str:
    """The cursor that carries `parts`."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def read(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The parts of a cursor, each of the kind it must have. Raises Problem("bad_request")."""
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        parts = None
    right = isinstance(parts, list) and len(parts) == len(kinds)
    if not right or not all(_is_a(part, kind) for part, kind in zip(parts, kinds, strict=True)):
        raise Problem("bad_request", detail="The cursor is not one that a list gave you")
    return tuple(parts)


def _is_a(part: Any, kind: type) -> bool:
    return type(part) is kind and (not isinstance(part, int) or abs(part) <= HIGHEST)


def write_after(at: datetime, key: str) -> str:
    """The cursor after a document."""
    return write(round(at.timestamp() * 1000), key)  # the database keeps milliseconds


def cut(rows: list[dict[str, Any]], limit: int, *, by: str) -> tuple[list[dict[str, Any]], str | None]:
    """The first `limit` rows of a list in the order of `by` and `_id`, and the cursor to the rest if there is any."""
    shown = rows[:limit]
    return shown, write_after(shown[-1][by], shown[-1]["_id"]) if len(rows) > limit else None


def read_after(cursor: str | None) -> After | None:
    """The reverse of `write_after`. Raises Problem("bad_request")."""
    if cursor is None:
        return None
    milliseconds, key = read(cursor, int, str)
    try:
        return After(datetime.fromtimestamp(milliseconds / 1000, UTC), key)
    except (OverflowError, ValueError, OSError):
        raise Problem("bad_request", detail="The cursor is not one that a list gave you") from None
