"""Small pure parts of reading: cursors, pages, tags, health, backlog."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.api.documents import is_newer
from services.gateway.api.health import projection_state
from services.gateway.concurrency.batch_loader import BatchLoader
from services.gateway.live.frames import Frame
from services.gateway.live.sse import event, position_of
from services.gateway.live.updates_consumer import newest
from services.gateway.problems import _SHARED, OWN, Problem
from services.gateway.queries import cursors, page_status
from services.gateway.targets import Position
from shared.error_catalog import CATALOG
from shared.harness.contract import Plan, Slice

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def test_a_cursor_says_where_the_list_ended() -> None:
    assert cursors.read_after(cursors.write_after(NOW, "d1")) == (NOW, "d1")


@given(st.text(max_size=60))
def test_any_other_word_is_no_cursor(word: str) -> None:
    with pytest.raises(Problem, match="bad_request"):
        cursors.read_after(word)


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Problem, match="bad_request"):
        cursors.read(cursors.write(1, "a"), int)


PLAN = Plan(engine="e", slices=(Slice(pages=(1, 1)), Slice(pages=(2, 4)), Slice(pages=(5, 5))), page_count=5)


def test_each_page_is_as_far_as_its_slice() -> None:
    slices = page_status.Slices(done=bytes([0b001]), failed=frozenset({0, 2}), running=frozenset({1}))
    found = [entry["status"] for entry in page_status.statuses(PLAN, slices)]
    assert found == ["done", "running", "running", "running", "failed"]


def test_a_page_is_found_in_its_slice() -> None:
    assert [page_status.slice_of(PLAN, page) for page in (0, 1, 3, 5, 6)] == [None, 0, 1, 2, None]
    assert page_status.total(PLAN) == 5


def test_the_bitmap_counts_from_the_lowest_bit_of_the_first_byte() -> None:
    slices = page_status.Slices(done=bytes([0, 0b10]), failed=frozenset(), running=frozenset())
    assert [number for number in range(20) if slices.status(number) == "done"] == [9]


@pytest.mark.parametrize(
    ("tag", "since", "expected"),
    [("e:5", "e:4", True), ("e:5", "e:5", False), ("e:4", "e:5", False), ("f:1", "e:9", True), ("e:ab", "e:cd", True)],
)
def test_a_tag_is_newer_by_version_within_an_epoch(tag: str, since: str, expected: bool) -> None:
    assert is_newer(tag, since) is expected


def test_the_projection_is_trusted_while_its_service_speaks() -> None:
    row: dict[str, Any] = {"silent_seconds": 0.5, "caught_up": True, "halted": None, "lag": 0}
    assert projection_state(row) == "ok"
    assert "not been heard of" in projection_state(None)
    assert "not been heard of" in projection_state({**row, "silent_seconds": 11.0})
    assert "needs a newer release" in projection_state({**row, "halted": "needs a newer release"})
    assert "40 records behind" in projection_state({**row, "caught_up": False, "lag": 40})


def record(key: str, value: bytes, tenant: bytes = b"t") -> Any:
    return SimpleNamespace(key=key.encode(), value=value, headers=[("tenant", tenant)])


def test_behind_only_the_newest_of_each_document_counts() -> None:
    records = [record("a", b"1"), record("b", b"2"), record("a", b"3"), record("a", b"4", b"other")]
    assert [(update.tenant, update.key, update.value) for update in newest(records)] == [
        ("t", "b", b"2"),
        ("t", "a", b"3"),
        ("other", "a", b"4"),
    ]


def test_an_event_carries_the_position_to_resume_from() -> None:
    frame = Frame({"op": "update", "epoch": "k3", "version": 7})
    assert event(frame) == b'id: k3:7\ndata: {"op":"update","epoch":"k3","version":7}\n\n'
    assert position_of("k3:7") == Position("k3", 7)
    assert [position_of(word) for word in (None, "", "k3", ":7", "k3:x", "k3:" + "9" * 30)] == [None] * 6


def test_a_frame_is_encoded_once() -> None:
    calls = []
    frame = Frame({"op": "current"})

    def encode(one: Frame) -> bytes:
        calls.append(one)
        return b"x"

    assert frame.encoded(encode) + frame.encoded(encode) == b"xx"
    assert len(calls) == 1


@pytest.mark.parametrize("code", [*OWN, *_SHARED])
def test_every_problem_has_a_sentence_and_an_action(code: str) -> None:
    names = re.findall(r"{(\w+)}", " ".join(map(str, OWN.get(code, CATALOG.get(code, ())))))
    problem = Problem(code, **dict.fromkeys(names, "x"))
    body = problem.body()
    assert body["status"] == problem.status >= 400
    assert body["detail"].endswith(".")
    assert body["action"].endswith(".")


async def test_who_asks_while_a_query_runs_shares_the_next_one() -> None:
    asked: list[Sequence[int]] = []
    gate = asyncio.Event()

    async def fetch(keys: Sequence[int]) -> Mapping[int, str]:
        asked.append(keys)
        await gate.wait()
        return {key: f"value {key}" for key in keys if key < 5}

    bulk = BatchLoader(fetch)
    first = asyncio.create_task(bulk.get(1))
    while not asked:
        await asyncio.sleep(0)
    others = [asyncio.create_task(bulk.get(key)) for key in (1, 2, 2, 9)]
    await asyncio.sleep(0)
    gate.set()
    assert await first == "value 1"
    assert await asyncio.gather(*others) == ["value 1", "value 2", "value 2", None]
    assert asked == [[1], [1, 2, 9]]


async def test_a_failed_query_fails_for_those_who_asked_and_for_nobody_else() -> None:
    answers: list[Mapping[int, str] | Exception] = [ConnectionError("away"), {1: "back"}]

    async def fetch(_: Sequence[int]) -> Mapping[int, str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    bulk = BatchLoader(fetch)
    with pytest.raises(ConnectionError):
        await bulk.get(1)
    assert await bulk.get(1) == "back"


async def test_who_asks_for_much_keeps_nobody_else_waiting() -> None:
    asked: list[Sequence[str]] = []

    async def fetch(keys: Sequence[str]) -> Mapping[str, str]:
        asked.append(keys)
        await asyncio.sleep(0)
        return dict.fromkeys(keys, "there")

    bulk = BatchLoader(fetch, limit=2, owner=lambda key: key[0])
    await asyncio.gather(*(bulk.get(key) for key in ("a1", "a2", "a3", "a4", "b1", "b2")))
    assert asked == [["a1", "b1"], ["a2", "b2"], ["a3", "a4"]]
