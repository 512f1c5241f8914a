"""Results that nobody waits for: who goes first, what is set aside, what the eraser waits for."""

import asyncio
from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any

from services.progress.projection.result_backlog import ResultBacklog


class Shelf:
    """Stands for the stored results: what is marked as unloaded, in the order of its upload."""

    def __init__(self, *unloaded: str) -> None:
        self.marked = list(unloaded)
        self.loaded: list[str] = []
        self.refused: set[str] = set()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def unloaded(self, limit: int, but: Collection[str] = ()) -> list[str]:
        return [i for i in reversed(self.marked) if i not in but][:limit]

    async def load(self, states: Sequence[Any]) -> None:
        await self.may_go_on.wait()
        for state in states:
            if state.document_id in self.refused:
                raise ValueError("a shape that nobody knows")
        for state in states:
            self.loaded.append(state.document_id)
            self.marked.remove(state.document_id)


async def states(ids: Collection[str]) -> dict[str, Any]:
    return {i: SimpleNamespace(document_id=i, status="deleted" if i.startswith("gone") else "completed") for i in ids}


def backlog(shelf: Shelf, **more: Any) -> ResultBacklog:
    results: Any = shelf
    return ResultBacklog(results, states, **more)


async def test_all_are_stored_the_newest_first() -> None:
    names = [f"d{number:02}" for number in range(50)]
    shelf = Shelf(*names)

    await backlog(shelf).work_off()

    assert shelf.loaded == names[::-1]


async def test_one_that_cannot_be_stored_holds_up_nobody() -> None:
    shelf = Shelf("a", "b", "c")
    shelf.refused = {"b"}

    await backlog(shelf).work_off()

    assert set(shelf.loaded) == {"a", "c"}
    assert shelf.marked == ["b"]


async def test_nothing_is_stored_while_something_else_goes_first() -> None:
    shelf, held = Shelf("a"), [True]
    working = asyncio.create_task(backlog(shelf, is_held=lambda: held[0]).work_off())
    await asyncio.sleep(0.1)
    assert shelf.loaded == []

    held[0] = False
    await working

    assert shelf.loaded == ["a"]


async def test_what_is_being_stored_is_under_way_until_it_is_said_to_have_ended() -> None:
    shelf, ended = Shelf("a"), list[str]()
    shelf.may_go_on.clear()
    storing = backlog(shelf, ended=ended.extend)
    working = asyncio.create_task(storing.work_off())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert storing.under_way("a")
    assert not storing.under_way("b")
    assert ended == []
    shelf.may_go_on.set()
    await working

    assert not storing.under_way("a")
    assert ended == ["a"]
