"""The trace of a request, from a header to a header."""

import asyncio

import pytest

from shared.runtime import tracing

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def begun(traceparent):
    tracing.begin(traceparent)
    return tracing.current()


async def test_what_was_given_is_carried_on() -> None:
    assert await asyncio.create_task(begun(GIVEN)) == GIVEN


@pytest.mark.parametrize("given", [None, "", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_where_nothing_is_given_a_new_trace_begins(given: str | None) -> None:
    one, other = [await asyncio.create_task(begun(given)) for _ in range(2)]

    assert one != other
    assert await asyncio.create_task(begun(one)) == one


async def test_tasks_do_not_share_their_traces() -> None:
    await asyncio.create_task(begun(GIVEN))

    assert tracing.current() is None


def test_a_record_carries_it_in_its_headers() -> None:
    assert tracing.of_record([("other", b"x"), *tracing.headers(GIVEN)]) == GIVEN
    assert tracing.headers(None) == []
    assert tracing.of_record([]) is None
