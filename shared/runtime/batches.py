"""Items of a stream, some at a time."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def in_batches(items: AsyncIterable[T], size: int) -> AsyncIterator[list[T]]:
    """The items, `size` of them at a time; the last batch has fewer and may be empty."""
    batch: list[T] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch
