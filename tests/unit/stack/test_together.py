"""Coroutines side by side."""

import asyncio

import pytest

from stack.together import together


async def test_the_results_come_in_the_order_given() -> None:
    second_is_done = asyncio.Event()

    async def first() -> str:
        await second_is_done.wait()
        return "first"

    async def second() -> str:
        second_is_done.set()
        return "second"

    assert await together(first(), second()) == ["first", "second"]


async def test_the_first_failure_is_raised_as_it_is_and_ends_the_others() -> None:
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await together(waits(), fails())
    assert ended.is_set()
