"""The worker's consumer: what is acknowledged, what is parked, what ends the process."""

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from shared.harness.work_item import WorkItem
from shared.harness.worker import consumer
from shared.harness.worker.consumer import Consumer
from shared.kafka.producer import Unconfirmed

ITEM = WorkItem(document_id="d", tenant="t", stage="s", attempt=1, plan="p", slice=0, opens=False, inputs={})


class Worker:
    """Claims what it is asked for, unless it is told to fail."""

    stage = "s"
    producer = None

    def __init__(self, error=None, work_error=None) -> None:
        self.error = error
        self.work_error = work_error
        self.worked: list[Any] = []
        self.left: list[Any] = []

    async def claim(self, item):
        if self.error:
            raise self.error
        return "lease", "child"

    async def leave(self, lease, child) -> None:
        self.left.append((lease, child))

    async def work(self, item, lease, child) -> None:
        if self.work_error:
            raise self.work_error
        self.worked.append(item)


class Message:
    headers: dict[str, str] = {}  # noqa: RUF012
    raw_message = SimpleNamespace(value=b"")

    def __init__(self, error=None) -> None:
        self.acknowledged = 0
        self.error = error

    async def ack(self) -> None:
        if self.error:
            raise self.error
        self.acknowledged += 1


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch):
    found = []

    async def park(producer, record, reason) -> None:
        found.append(reason)

    monkeypatch.setattr(consumer, "park", park)
    return found


async def taken(worker, message, body=None):
    """What the consumer makes of the record: the error that ends the process, or None."""
    found = Consumer(worker, None, None, None)
    await found.on_record(body if body is not None else ITEM.model_dump_json().encode(), message)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    broken = found._broken
    return broken.exception() if broken.done() else None


async def test_what_is_claimed_is_acknowledged_and_worked_on() -> None:
    worker, message = Worker(), Message()

    assert await taken(worker, message) is None
    assert (worker.worked, message.acknowledged) == ([ITEM], 1)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"null", orjson.dumps(ITEM.model_dump() | {"slice": 2**60}), b'{"document_id": 1}'],
)
async def test_what_is_no_work_item_is_parked_and_the_next_one_comes(parked, body) -> None:
    worker, message = Worker(), Message()

    assert await taken(worker, message, body) is None
    assert (len(parked), message.acknowledged, worker.worked) == (1, 1, [])


@pytest.mark.parametrize("error", [KeyError("odd"), Unconfirmed("documents")])
async def test_an_error_before_the_acknowledgement_ends_the_process_and_the_record_comes_again(error) -> None:
    worker, message = Worker(error=error), Message()

    assert await taken(worker, message) is error
    assert message.acknowledged == 0


async def test_what_cannot_be_acknowledged_is_given_back_before_the_process_ends() -> None:
    error = OSError("connection lost")
    worker, message = Worker(), Message(error=error)

    assert await taken(worker, message) is error
    assert (worker.left, worker.worked) == ([("lease", "child")], [])


async def test_a_broker_that_does_not_take_a_fact_ends_the_process() -> None:
    error = Unconfirmed("documents")

    assert await taken(Worker(work_error=error), Message()) is error
