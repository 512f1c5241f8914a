"""The cores of a machine: children of any worker share them, in order, and the dead hold none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from shared.harness.contract import Document, Slice
from shared.harness.sandbox.pool import Child, Crashed, Pool
from tests.support.infrastructure import REPOSITORY
from tests.support.wait import until

STAGES: Final = Path(__file__).parent / "stages"
DOCUMENT: Final = Document(document_id="d", tenant="t", filename="a.pdf", content_type=None, size=1).model_dump()


@pytest.fixture(autouse=True)
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Children find the stages of the tests."""
    monkeypatch.setenv("PYTHONPATH", f"{STAGES}:{REPOSITORY}")


class Work:
    """One slice in a child; its folder tells how far it is, and tells it when to go on."""

    def __init__(
        self, folder: Path, child: Child, *, tenant: str, needs_core: bool, asks: bool, deadline: float, rank: int
    ) -> None:
        self.folder = folder
        self.child = child
        slice_ = Slice(args={"folder": str(folder), "asks": asks}).model_dump(mode="json")
        cores = {"folder": str(folder.parent / "cores"), "count": 1}
        request: dict[str, Any] = {
            "function": "work", "document": DOCUMENT | {"tenant": tenant}, "source": "", "earlier": {}, "slice": slice_,
            "cores": cores, "needs_core": needs_core, "rank": rank,
        }  # fmt: skip
        running = child.run(request, deadline=deadline, memory_mb=1024, on_tick=lambda tick: None)
        self.task = asyncio.create_task(running)

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    async def until(self, name: str) -> None:
        await until(lambda: self.has(name), what=name)

    def tell(self, name: str) -> None:
        (self.folder / name).touch()


class Machine:
    """Two workers' pools on a machine with one core."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.pools = [Pool("patient", 6, idle_seconds=60) for _ in range(2)]

    async def work(
        self, name: str, worker: int = 0, *, tenant: str = "t", needs_core: bool = True, asks: bool = False,
        deadline: float = 60, rank: int = 0,
    ) -> Work:  # fmt: skip
        child = await self.pools[worker].take()
        folder = self._folder / name
        return Work(folder, child, tenant=tenant, needs_core=needs_core, asks=asks, deadline=deadline, rank=rank)

    async def in_line(self, count: int, rank: int = 0) -> None:
        """Return when so many processes of this rank wait for their turn or for a core."""
        turn = self._folder / "cores" / f"turn{rank}"
        await until(turn.exists, what="somebody waits")
        lock = turn.stat().st_ino

        def waiting() -> bool:
            return Path("/proc/locks").read_text().count(f":{lock} ") >= count

        await until(waiting, what=f"{count} wait")


@asynccontextmanager
async def ended(works: list[Work]) -> AsyncIterator[None]:
    yield
    for work in works:
        await work.child.kill()
        await asyncio.wait([work.task])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_one_core_computes_for_one_child_at_a_time_whichever_worker_it_is_of(machine: Machine) -> None:
    first = await machine.work("first", worker=0)
    await first.until("begun")
    second = await machine.work("second", worker=1)
    await machine.in_line(1)
    third = await machine.work("third", worker=0)
    await machine.in_line(2)
    async with ended([first, second, third]):
        assert not second.has("begun")
        first.tell("end")
        await first.task
        await second.until("begun")  # though the other one's worker had the core before
        assert not third.has("begun")
        second.tell("end")
        await third.until("begun")


async def test_what_is_short_waits_for_no_core(machine: Machine) -> None:
    long = await machine.work("long")
    await long.until("begun")
    short = await machine.work("short", needs_core=False)
    async with ended([long, short]):
        await short.until("begun")


async def test_who_waits_for_the_network_lets_others_compute_and_gets_a_core_again(machine: Machine) -> None:
    asking = await machine.work("asking", asks=True)
    await asking.until("asked")
    other = await machine.work("other", worker=1)
    async with ended([asking, other]):
        await other.until("begun")
        asking.tell("answered")
        await machine.in_line(1)
        assert not asking.has("answer taken")
        other.tell("end")
        await asking.until("answer taken")


async def test_the_core_of_a_killed_child_is_free_at_once(machine: Machine) -> None:
    first = await machine.work("first")
    await first.until("begun")
    second = await machine.work("second", worker=1)
    async with ended([first, second]):
        await machine.in_line(1)
        await first.child.kill()
        await second.until("begun")


async def test_the_deadline_counts_from_when_there_is_a_core(machine: Machine) -> None:
    first = await machine.work("first")
    await first.until("begun")
    second = await machine.work("second", worker=1, deadline=0.5)
    async with ended([first, second]):
        await machine.in_line(1)
        done, _ = await asyncio.wait([second.task], timeout=1)
        assert not done
        first.tell("end")
        with pytest.raises(Crashed, match="timeout"):
            await second.task


async def test_a_later_stage_goes_first_and_an_earlier_one_has_every_fourth_core(machine: Machine) -> None:
    running = await machine.work("running")
    await running.until("begun")
    early = await machine.work("early", rank=0)
    await machine.in_line(1)
    late = []
    for number in range(5):
        late.append(await machine.work(f"late{number}", worker=number % 2, rank=2))
        await machine.in_line(number + 1, rank=2)
    order = []
    async with ended([running, early, *late]):
        running.tell("end")
        for _ in range(6):
            order.append(await next_to_begin([work for work in (early, *late) if work not in order]))
            order[-1].tell("end")
    assert [work.folder.name for work in order] == ["late0", "late1", "late2", "early", "late3", "late4"]


async def test_a_tenant_without_a_core_gets_one_beyond_the_number_and_one_only(machine: Machine) -> None:
    theirs = await machine.work("theirs", tenant="full")
    await theirs.until("begun")
    more = await machine.work("more", tenant="full")
    await machine.in_line(1)
    guest = await machine.work("guest", tenant="guest", worker=1)
    await guest.until("begun")  # at once, before who stood in line
    second = await machine.work("second", tenant="guest", worker=1)
    await machine.in_line(2)
    other = await machine.work("other", tenant="other", worker=1)
    await machine.in_line(3)
    async with ended([theirs, more, guest, second, other]):
        assert not any(work.has("begun") for work in (more, second, other))
        guest.tell("end")
        await guest.task
        late = await machine.work("late", tenant="late", worker=1)
        await late.until("begun")  # it is free again
        theirs.tell("end")
        await more.until("begun")


async def test_where_a_core_is_free_nobody_gets_one_beyond_the_number(machine: Machine) -> None:
    first = await machine.work("first", tenant="one")
    await first.until("begun")
    first.tell("end")
    await first.task
    second = await machine.work("second", tenant="two")
    await second.until("begun")
    third = await machine.work("third", tenant="two", worker=1)
    await machine.in_line(1)  # "two" holds the core; that "one" had it before counts for nothing
    async with ended([first, second, third]):
        assert not third.has("begun")


async def next_to_begin(waiting: list[Work]) -> Work:
    await until(lambda: any(work.has("begun") for work in waiting), what="somebody has the core")
    return next(work for work in waiting if work.has("begun"))
