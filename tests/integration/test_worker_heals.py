"""A worker on bad days: leases that ended without their fact, old projections, odd ticks, unexpected errors."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.events.document import (
    CONCLUDE,
    PLAN,
    Progress,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StagePlanned,
)
from shared.harness.work_item import WorkItem
from shared.harness.worker.slices import SliceRunner
from shared.kafka.producer import Producer, Unconfirmed
from shared.storage import blob_names, leases, mongo
from shared.storage.leases import LeaseBook, Leases, Owner
from tests.support.wait import until
from tests.support.worker import Desk, expire


async def claim_in_vain(desk: Desk, item: WorkItem) -> list[Any]:
    """What is said when somebody asks for the item although there is nothing to do."""
    before = len(await desk.facts())
    assert await desk.worker.claim(item) is None
    return (await desk.facts())[before:]


@pytest.mark.parametrize("number", [PLAN, 0, CONCLUDE])
async def test_whoever_asks_for_work_that_has_ended_hears_its_fact_again_under_the_same_id(
    desk: Desk, number: int
) -> None:
    await desk.put_document({"do": "answer"})
    if number == CONCLUDE:
        await desk.do(desk.item(0))
    item = desk.item(number)
    (fact,) = await desk.do(item)
    assert isinstance(fact, StagePlanned | SliceCompleted | StageCompleted)
    assert await claim_in_vain(desk, item) == [fact]


async def test_a_failure_is_said_again_and_the_work_is_not_done_again(desk: Desk) -> None:
    await desk.put_document({"do": "bug"})
    item = desk.item(0)
    (failed,) = await desk.do(item)
    assert isinstance(failed, SliceFailed)
    assert await claim_in_vain(desk, item) == [failed]
    assert (await desk.lease(item))["strikes"] == 1


async def test_where_the_result_is_gone_the_work_is_done_anew_and_that_is_no_loss(desk: Desk) -> None:
    await desk.put_document({"do": "answer"})
    item = desk.item(0)
    (first,) = await desk.do(item)
    await desk.worker.slice_runner.blobs.delete(blob_names.slice_result("t", desk.document_id, "odd", "p1", 0))
    (again,) = await desk.do(item)
    assert again.event_id == first.event_id
    lease = await desk.lease(item)
    assert (lease["strikes"], lease["releases"], lease["ended"]) == (2, 1, True)


async def test_work_that_somebody_ended_without_a_fact_is_done(desk: Desk) -> None:
    await desk.put_document({"do": "answer"})
    item = desk.item(0)
    claimed = await desk.worker.claim(item)
    assert claimed
    await desk.worker.pool.give_back(claimed[1])
    await expire(desk.database, item)
    await LeaseBook(desk.database).close(await desk.lease(item))
    (done,) = await desk.do(item)
    assert isinstance(done, SliceCompleted)


async def test_what_was_cancelled_in_an_earlier_run_is_done_in_this_one(desk: Desk) -> None:
    await desk.put_document({"do": "answer"})
    await desk.show("cancelled", run=1)  # a generation that is replayed, or was live a moment ago
    (done,) = await desk.do(desk.item(0, run=2))
    assert isinstance(done, SliceCompleted)


@pytest.mark.parametrize(("status", "run"), [("cancelled", 2), ("cancelling", 3), ("deleted", 1)])
async def test_what_is_stopped_while_it_waits_is_not_begun_and_its_lease_is_open(
    desk: Desk, status: str, run: int
) -> None:
    await desk.put_document({"do": "answer"})
    await desk.show(status, run=run)
    item = desk.item(0, run=2)
    assert await claim_in_vain(desk, item) == []
    lease = await desk.lease(item)
    assert (lease["ended"], lease["released"]) == (False, 1)  # whether it is over the sweeper says, who knows the log


# --- what nobody expected costs its own slice -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [KeyError("page"), OSError(5, "bad sector"), RuntimeError("odd"), mongo.PyMongoError()]
)
async def test_an_error_that_nobody_expected_is_the_failure_of_its_own_slice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    work, failed_once = SliceRunner._slice, list[WorkItem]()

    async def fails(slices: SliceRunner, item: WorkItem, child: Any) -> Any:
        if not failed_once:
            failed_once.append(item)
            raise error
        return await work(slices, item, child)

    await desk.put_document({"do": "answer"}, {"do": "answer"})
    monkeypatch.setattr(SliceRunner, "_slice", fails)
    with capture_logs() as said:
        (failed,) = await desk.do(desk.item(0))
    assert isinstance(failed, SliceFailed)
    assert (failed.error.code, failed.error.retryable, failed.pages) == ("internal", True, (1, 1))
    (line,) = [
        line for line in said if line.get("reference") == failed.error.facts["reference"] and "traceback" in line
    ]
    assert type(error).__name__ in line["traceback"]
    (done,) = await desk.do(desk.item(1))
    assert isinstance(done, SliceCompleted)


async def test_a_slice_that_is_not_in_its_plan_fails_and_the_worker_goes_on(desk: Desk) -> None:
    await desk.put_document({"do": "answer"})
    (failed,) = await desk.do(desk.item(7))
    assert isinstance(failed, SliceFailed)
    assert (failed.error.code, failed.pages) == ("internal", None)


async def test_a_fact_that_is_too_large_for_the_log_becomes_a_failure(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_all, refused = Producer.append_all, list[Any]()

    async def refuses_once(producer: Producer, facts: Any) -> None:
        if not refused:
            refused.append(facts)
            raise ValueError("a fact is at most 65536 bytes")
        await append_all(producer, facts)

    await desk.put_document({"do": "answer"})
    monkeypatch.setattr(Producer, "append_all", refuses_once)
    (failed,) = await desk.do(desk.item(0))
    assert isinstance(failed, SliceFailed)
    assert failed.error.code == "internal"


async def test_an_error_that_leaves_no_fact_gives_the_slice_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> None:
        raise KeyError("a bug in saying it")

    await desk.put_document({"do": "answer"})
    monkeypatch.setattr(type(desk.worker), "_append", fails)
    item = desk.item(0)
    assert await desk.do(item) == []
    lease = await desk.lease(item)
    assert (lease["ended"], lease["releases"]) == (False, 1)


async def test_a_broker_that_does_not_take_the_fact_ends_the_process(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unconfirmed(*_: Any) -> None:
        raise Unconfirmed("documents")

    await desk.put_document({"do": "answer"})
    claimed = await desk.worker.claim(desk.item(0))
    assert claimed
    monkeypatch.setattr(Producer, "append_all", unconfirmed)
    with pytest.raises(Unconfirmed):
        await desk.worker.work(desk.item(0), *claimed)


async def test_while_the_database_is_away_work_goes_on_and_nothing_is_struck(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew, asked = type(desk.worker.leases).renew, []

    async def away(leases: Any, lease: Any) -> None:
        asked.append(lease)
        if len(asked) < 6:
            raise mongo.OUTAGES[0]("no primary")
        await renew(leases, lease)

    await desk.put_document({"do": "answer"})
    item = desk.item(0)
    monkeypatch.setattr(type(desk.worker.leases), "renew", away)
    (done,) = await desk.do(item)
    assert isinstance(done, SliceCompleted)
    lease = await desk.lease(item)
    assert (lease["strikes"], lease["ended"]) == (1, True)


# --- ticks, plans and results that are not as they should be --------------------------------------------------------


async def test_odd_ticks_are_dropped_with_one_line_and_the_slice_is_done(desk: Desk) -> None:
    await desk.put_document({"do": "tick_oddly"})
    with capture_logs() as said:
        (done,) = await desk.do(desk.item(0))
    assert isinstance(done, SliceCompleted)
    assert len([line for line in said if line["event"] == "a tick is dropped"]) == 1


async def test_a_result_beyond_the_limit_is_refused_in_words(desk: Desk) -> None:
    await desk.put_document({"do": "answer_much"}, {"do": "answer"})
    (failed,) = await desk.do(desk.item(0))
    assert isinstance(failed, SliceFailed)
    assert (failed.error.code, failed.error.retryable) == ("too_large", False)
    assert failed.error.facts["limit"] == "1 MiB"
    (done,) = await desk.do(desk.item(1))
    assert isinstance(done, SliceCompleted)


async def test_a_plan_that_takes_too_long_is_made_once_more_and_then_given_up(desk: Desk) -> None:
    await desk.put_document({"do": "answer"})
    await desk.worker.slice_runner.blobs.delete(blob_names.source("t", desk.document_id))
    await desk.worker.slice_runner.blobs.put(blob_names.source("t", desk.document_id), b"spin")
    for attempt, retryable in ((1, True), (2, False)):
        (failed,) = await desk.do(desk.item(PLAN, attempt=attempt, repeats=attempt - 1))
        assert isinstance(failed, SliceFailed)
        assert (failed.error.code, failed.error.retryable) == ("timeout", retryable)
        assert failed.error.facts["limit"] == 3.0


@pytest.mark.parametrize("plan", ["many pieces", "many pages", "no such pages"])
async def test_a_plan_that_nobody_could_carry_out_is_refused(desk: Desk, plan: str) -> None:
    await desk.put_document({"do": "answer"})
    await desk.worker.slice_runner.blobs.delete(blob_names.source("t", desk.document_id))
    await desk.worker.slice_runner.blobs.put(blob_names.source("t", desk.document_id), plan.encode())
    (failed,) = await desk.do(desk.item(PLAN))
    assert isinstance(failed, SliceFailed)
    assert failed.error.code == ("internal" if plan == "no such pages" else "plan_too_large")


# --- what is little is done under one claim ---------------------------------------------------------------------------


async def put_plan(desk: Desk, plan: str) -> None:
    """A document whose text names the plan."""
    await desk.put_document({"do": "answer"})
    source = blob_names.source("t", desk.document_id)
    await desk.worker.slice_runner.blobs.delete(source)
    await desk.worker.slice_runner.blobs.put(source, plan.encode())


async def plan_little(desk: Desk, plan: str) -> list[Any]:
    """The facts that come of planning such a document."""
    await put_plan(desk, plan)
    return await desk.do(desk.item(PLAN))


async def leases_of(desk: Desk) -> list[str]:
    return [row["_id"] async for row in desk.database.control["leases"].find({"document_id": desk.document_id})]


async def test_a_small_plan_is_done_whole_under_its_one_claim_with_the_facts_that_many_claims_give(desk: Desk) -> None:
    facts = await plan_little(desk, "little answer answer")
    assert [fact.type for fact in facts] == ["StagePlanned", "SliceCompleted", "SliceCompleted", "StageCompleted"]
    assert await leases_of(desk) == [desk.item(PLAN).work_id]
    assert await desk.worker.slice_runner.blobs.exists(facts[-1].result)

    desk.plan_id = facts[0].plan
    await desk.database.control["leases"].delete_many({"document_id": desk.document_id})
    slowly = [fact for number in (0, 1, CONCLUDE) for fact in await desk.do(desk.item(number))]
    assert [fact.event_id for fact in slowly] == [fact.event_id for fact in facts[1:]]


async def test_a_slice_of_a_small_plan_that_fails_is_left_to_a_claim_of_its_own(desk: Desk) -> None:
    planned, done = await plan_little(desk, "little answer bug answer")
    assert (planned.type, done.type, done.slice) == ("StagePlanned", "SliceCompleted", 0)
    assert (await desk.lease(desk.item(PLAN)))["ended"]
    desk.plan_id = planned.plan
    (failed,) = await desk.do(desk.item(1))
    assert isinstance(failed, SliceFailed)
    assert (await desk.lease(desk.item(1)))["strikes"] == 1


async def test_a_slice_of_a_small_plan_that_kills_its_process_costs_neither_the_plan_nor_the_slices_before(
    desk: Desk,
) -> None:
    planned, done = await plan_little(desk, "little answer crash answer")
    assert (planned.followed_by, done.slice) == (1, 0)
    desk.plan_id = planned.plan
    (failed,) = await desk.do(desk.item(1))
    assert failed.error.code == "crashed"
    (last,) = await desk.do(desk.item(2))
    assert isinstance(last, SliceCompleted)


async def test_each_step_of_a_small_plan_has_an_empty_folder_of_its_own(desk: Desk) -> None:
    facts = await plan_little(desk, "little scratch scratch")
    whole = await desk.worker.slice_runner.blobs.get_result(facts[-1].result)
    one, other = whole["results"]
    assert one["workdir"] != other["workdir"]
    assert one["inside"] == [one["workdir"]]
    assert len(one["seen"]) == len(other["seen"])


async def test_a_tick_of_a_small_plan_tells_of_the_slice_in_hand(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[Progress] = []
    monkeypatch.setattr(Producer, "tick", lambda producer, tick: ticks.append(tick))
    await plan_little(desk, "little answer tick")
    assert {tick.slice for tick in ticks} == {1}


async def test_what_was_claimed_before_is_done_slice_by_slice_for_some_of_it_may_be_done(desk: Desk) -> None:
    await put_plan(desk, "little answer")
    item = desk.item(PLAN)
    claimed = await desk.worker.claim(item)
    assert claimed
    await desk.worker.leave(*claimed)
    (planned,) = await desk.do(item)
    assert planned.followed_by is None


async def test_what_ends_soon_is_said_to_have_begun_together_with_its_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended: list[list[str]] = []
    append_all = Producer.append_all

    async def noted(producer: Producer, facts: Any) -> None:
        appended.append([fact.type for fact, _ in facts])
        await append_all(producer, facts)

    monkeypatch.setattr(Producer, "append_all", noted)
    await plan_little(desk, "little answer")  # the process is there from now on
    for plan, told in (
        ("little answer", [["StageStarted", "StagePlanned", "SliceCompleted", "StageCompleted"]]),
        ("spin", [["StageStarted"], ["SliceFailed"]]),
    ):
        appended.clear()
        desk.document_id = str(uuid.uuid4())
        await put_plan(desk, plan)
        began, *_, last = await desk.do(desk.item(PLAN, opens=True))
        assert appended == told
    assert last.at - began.at > timedelta(seconds=1)


async def test_a_worker_that_was_stopped_asks_for_its_lease_before_it_speaks(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.put_document({"do": "answer"})
    item = desk.item(0)
    claimed = await desk.worker.claim(item)
    assert claimed
    await expire(desk.database, item)
    assert await Leases(desk.database, Owner.of("there/odd")).claim(item.work_id, item.about)
    clock = leases._clock
    monkeypatch.setattr(leases, "_clock", lambda: clock() + 30)
    await desk.worker.work(item, *claimed)
    assert await desk.facts() == []


async def test_where_the_facts_of_a_small_plan_are_too_large_together_the_first_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_all = Producer.append_all

    async def refuses_many(producer: Producer, facts: Any) -> None:
        if len(facts) > 1:
            raise ValueError("a fact is at most 65536 bytes")
        await append_all(producer, facts)

    monkeypatch.setattr(Producer, "append_all", refuses_many)
    (planned,) = await plan_little(desk, "little answer")
    assert planned.type == "StagePlanned"


async def test_a_claim_waits_for_a_database_that_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, asked = type(desk.worker.leases).claim, []

    async def away(leases: Any, *args: Any, **more: Any) -> Any:
        asked.append(args)
        if len(asked) < 3:
            raise mongo.OUTAGES[0]("no primary")
        return await claim(leases, *args, **more)

    await desk.put_document({"do": "answer"})
    monkeypatch.setattr(type(desk.worker.leases), "claim", away)
    claiming = asyncio.create_task(desk.worker.claim(desk.item(0)))
    claimed = await until(lambda: claiming.done() and claiming.result(), within=10)
    assert claimed
    await desk.worker.leave(*claimed)
