"""The fence around one document within a loop that serves all of them.

Whatever one document's data raises is noted under its id and ends there. What the world raises (the broker, the
database, the store away) and what ends the loop itself passes: it would meet every document alike.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from shared.errors import Transient
from shared.kafka.producer import OUTAGES
from shared.runtime import logs
from shared.runtime.tracebacks import summarize
from shared.storage import mongo

log = logs.get(__name__)

T = TypeVar("T")

PASSES: Final = (Transient, *OUTAGES, *mongo.OUTAGES)


@dataclass
class Fenced:
    """What came of the body: `error` is what it raised, None where it went well."""

    error: Exception | None = None


@contextmanager
def fenced(where: str, document_id: str, *, passes: tuple[type[Exception], ...] = ()) -> Iterator[Fenced]:
    """Run the body for one document; what it raises is logged and kept, but for outages and what is in `passes`.

    The log names the document, the place and the line, never the error's own words: they may be the document's.
    The body calls `provoke(where, document_id)`, so that a test can make it raise.
    """
    outcome = Fenced()
    try:
        yield outcome
    except (*PASSES, *passes):
        raise
    except Exception as error:
        outcome.error = error
        note(where, document_id, error)


async def put_all(
    where: str, items: Sequence[T], put: Callable[[Sequence[T]], Awaitable[None]], document_of: Callable[[T], str]
) -> list[T]:
    """Put all items together; where that raises, each for itself shows whose it is. Those that could not be put.

    `put` may be called twice with the same item. Raises what a fence lets pass.
    """
    refused: list[T] = []
    try:
        await put(items)
    except PASSES:
        raise
    except Exception:
        for item in items:
            with fenced(where, document_of(item)) as outcome:
                await put([item])
            if outcome.error:
                refused.append(item)
    return refused


def note(where: str, document_id: str, error: Exception) -> None:
    """Log that one document's data raised."""
    log.error("one document is set aside", where=where, document_id=document_id, error=summarize(error))
