"""A worker with real leases, a real log and real children: which fact a work item ends in, and when in none."""

import asyncio
from pathlib import Path

import pytest

from shared.events.document import (
    CONCLUDE,
    PLAN,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StagePlanned,
    StageStarted,
)
from shared.harness.work_item import WorkItem
from shared.harness.worker.slices import identity
from shared.storage import blob_names
from shared.storage.leases import Lease, LeaseBook, Leases, Owner
from tests.support import processes
from tests.support.wait import until
from tests.support.worker import Desk, expire


async def test_planning_slices_and_concluding_each_end_in_one_fact(desk: Desk) -> None:
    await desk.put_document({})
    started, planned = await desk.do(desk.item(PLAN, opens=True))
    assert isinstance(started, StageStarted)
    assert isinstance(planned, StagePlanned)
    assert (planned.slices, planned.weight) == (2, 3)
    assert planned.plan == identity({"ocr": f"t/{desk.document_id}/earlier"}, "restless/v1")

    await desk.put_document({"do": "answer"}, {"do": "answer"})
    for number in (0, 1):
        (done,) = await desk.do(desk.item(number))
        assert isinstance(done, SliceCompleted)
        assert (done.slice, done.plan, done.pages) == (number, "p1", (number + 1, number + 1))

    item = desk.item(CONCLUDE)
    (completed,) = await desk.do(item)
    assert isinstance(completed, StageCompleted)
    assert not completed.partial
    result = await desk.worker.slice_runner.blobs.get_result(completed.result)
    assert (result["ocr"], len(result["results"])) == ("read before", 2)
    assert (await desk.lease(item))["ended"] is True


async def test_a_conclusion_without_a_slice_is_partial_and_has_a_name_of_its_own(desk: Desk) -> None:
    await desk.put_document({"do": "answer"}, {"do": "answer"})
    await desk.do(desk.item(0))
    (partial,) = await desk.do(desk.item(CONCLUDE, missing=(1,)))
    assert isinstance(partial, StageCompleted)
    assert partial.partial
    assert (await desk.worker.slice_runner.blobs.get_result(partial.result))["results"][1] is None
    assert not await desk.worker.slice_runner.blobs.exists(blob_names.result("t", desk.document_id, "odd", "p1", ()))


async def test_a_result_that_is_there_is_not_computed_again(desk: Desk) -> None:
    await desk.put_document({"do": "bug"})
    name = blob_names.slice_result("t", desk.document_id, "odd", "p1", 0)
    await desk.worker.slice_runner.blobs.put_result(name, {"by": "an earlier life"})
    (done,) = await desk.do(desk.item(0))
    assert isinstance(done, SliceCompleted)


async def test_a_damaged_result_is_computed_again(desk: Desk) -> None:
    await desk.put_document({"do": "chatter"})
    name = blob_names.slice_result("t", desk.document_id, "odd", "p1", 0)
    await desk.worker.slice_runner.blobs.put(name, b"half of it")
    (done,) = await desk.do(desk.item(0))
    assert isinstance(done, SliceCompleted)
    assert await desk.worker.slice_runner.blobs.get_result(name) == {"said": True}


@pytest.mark.parametrize(
    ("do", "code", "retryable"),
    [
        ("reject", "too_large", False),
        ("fail_for_now", "provider_unavailable", True),
        ("crash", "crashed", True),
        ("eat", "out_of_memory", True),
        ("bug", "internal", True),
    ],
)
async def test_every_way_to_fail_is_a_fact_and_the_worker_goes_on(
    desk: Desk, do: str, code: str, retryable: bool
) -> None:
    await desk.put_document({"do": do}, {"do": "answer"})
    item = desk.item(0)
    (failed,) = await desk.do(item)
    assert isinstance(failed, SliceFailed)
    assert (failed.error.code, failed.error.retryable, failed.strike) == (code, retryable, 1)
    assert failed.pages == (1, 1)
    assert (await desk.lease(item))["ended"] is True
    (done,) = await desk.do(desk.item(1))
    assert isinstance(done, SliceCompleted)


@pytest.mark.parametrize("lost", ["plan", "source", "earlier"])
async def test_a_lost_blob_fails_this_document_and_not_the_worker(desk: Desk, lost: str) -> None:
    await desk.put_document({"do": "answer"})
    name = {
        "plan": blob_names.plan("t", desk.document_id, "odd", "p1"),
        "source": blob_names.source("t", desk.document_id),
        "earlier": f"t/{desk.document_id}/earlier",
    }[lost]
    await desk.worker.slice_runner.blobs.delete(name)
    (failed,) = await desk.do(desk.item(0))
    assert isinstance(failed, SliceFailed)
    assert failed.error.code == ("source_missing" if lost == "source" else "result_missing")


async def test_a_flipped_byte_in_the_plan_fails_this_document_and_not_the_worker(desk: Desk) -> None:
    await desk.put_document({"do": "answer"})
    name = blob_names.plan("t", desk.document_id, "odd", "p1")
    sound = await desk.worker.slice_runner.blobs.get(name)
    await desk.worker.slice_runner.blobs.delete(name)
    await desk.worker.slice_runner.blobs.put(name, sound[:-2] + b"x}")
    (failed,) = await desk.do(desk.item(0))
    assert isinstance(failed, SliceFailed)
    assert failed.error.code == "result_missing"


async def test_the_fourth_claim_of_a_slice_that_kills_its_worker_gives_it_up(desk: Desk) -> None:
    await desk.put_document({"do": "answer"})
    item = desk.item(0)
    for _ in range(3):
        claimed = await desk.worker.claim(item)
        assert claimed
        await desk.worker.pool.give_back(claimed[1])
        await expire(desk.database, item)
    (failed,) = await desk.do(item)
    assert isinstance(failed, SliceFailed)
    assert (failed.error.code, failed.error.facts, failed.strike) == ("worker_lost", {"strikes": 3}, 4)


async def begun(desk: Desk, tmp_path: Path, item: WorkItem) -> tuple["asyncio.Task[None]", list[int]]:
    """Let a slice spin; the work and the pids of child and grandchild."""
    claimed = await desk.worker.claim(item)
    assert claimed
    work = asyncio.create_task(desk.worker.work(item, *claimed))
    await until((tmp_path / "pids").exists, what="the slice spins")
    return work, [int(pid) for pid in (tmp_path / "pids").read_text().split()]


@pytest.mark.parametrize("status", ["cancelling", "deleted"])
async def test_a_document_that_is_to_stop_stops_within_two_seconds_without_a_fact(
    desk: Desk, tmp_path: Path, status: str
) -> None:
    await desk.put_document({"do": "spin", "pids": str(tmp_path / "pids")})
    await desk.show("processing")
    item = desk.item(0)
    work, pids = await begun(desk, tmp_path, item)
    await desk.show(status)
    async with asyncio.timeout(4):  # 2 on an idle machine
        await work
    assert not any(map(processes.is_alive, pids))
    assert await desk.facts() == []
    assert not await LeaseBook(desk.database).at_work_among([desk.document_id])
    assert (await desk.lease(item))["ended"] is False  # that is for the sweeper to say, who knows the log


async def test_whoever_has_lost_the_lease_stops_and_says_nothing(desk: Desk, tmp_path: Path) -> None:
    await desk.put_document({"do": "spin", "pids": str(tmp_path / "pids")})
    item = desk.item(0)
    work, pids = await begun(desk, tmp_path, item)
    await expire(desk.database, item)
    other = Leases(desk.database, Owner.of("there/odd"))
    assert await other.claim(item.work_id, {}) == Lease(item.work_id, claim_count=2, losses=1)
    async with asyncio.timeout(10):
        await work
    assert not any(map(processes.is_alive, pids))
    assert await desk.facts() == []
    assert (await desk.lease(item))["ended"] is False  # it is the other's


async def test_a_worker_that_ends_gives_its_lease_back_without_a_loss(desk: Desk, tmp_path: Path) -> None:
    await desk.put_document({"do": "spin", "pids": str(tmp_path / "pids")})
    item = desk.item(0)
    work, pids = await begun(desk, tmp_path, item)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not any(map(processes.is_alive, pids))
    assert await Leases(desk.database, Owner.of("there/odd")).claim(item.work_id, {}) == Lease(item.work_id, 2, 0)
    assert await desk.facts() == []


async def test_a_lease_is_renewed_for_as_long_as_the_work_takes(desk: Desk, tmp_path: Path) -> None:
    await desk.put_document({"do": "spin", "pids": str(tmp_path / "pids")})
    item = desk.item(0)
    work, _ = await begun(desk, tmp_path, item)
    first = (await desk.lease(item))["expires_at"]

    async def later() -> bool:
        return bool((await desk.lease(item))["expires_at"] > first)

    await until(later, within=10)
    work.cancel()
    await asyncio.wait([work])
