"""The worker: waits for a free child, claims a slice, acknowledges, and works on it under a lease.

From the claim on the lease is the truth: Kafka's redelivery covers only the gap before it, the sweeper everything
after. A failure is a fact, never a nack; only a broker that does not confirm a fact ends the process.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from shared.errors import Transient
from shared.events.document import (
    Fact,
    Failure,
    NotAnEnvelope,
    SliceFailed,
    StageStarted,
    UnknownFact,
    decode,
    is_of_job,
)
from shared.harness.sandbox.pool import Child, Pool
from shared.harness.work_item import MAX_LOSSES, WorkItem, build_fact
from shared.harness.worker import failures
from shared.harness.worker.slices import SliceRunner
from shared.kafka import topics
from shared.kafka.producer import Producer, Unconfirmed
from shared.runtime import logs, tracing
from shared.runtime.failpoints import reach
from shared.storage.leases import Ended, Lease, LeaseLost, Leases, answered
from shared.storage.mongo import OUTAGES, Mongo

log = logs.get(__name__)

_RENEW_SECONDS: Final = 1.0
_OPENING_SECONDS: Final = 0.25  # what ends sooner is said to have begun together with its end
_QUICK_TRIES: Final = 3  # against the outside world, before the failure becomes a fact


class Stopped(Exception):
    """The document is being cancelled or deleted: the work ends without a fact."""


class Outcome(NamedTuple):
    """What a work item has ended in: a fact, those of what was done at once after a plan, and that the attempt began.

    `opening` is empty where that was appended before, or by another item.
    """

    fact: Fact
    following: Sequence[Fact] = ()
    opening: Sequence[Fact] = ()


@dataclass(frozen=True)
class Worker:
    """Does the slices of one stage."""

    stage: str
    producer: Producer
    mongo: Mongo
    leases: Leases
    slice_runner: SliceRunner
    pool: Pool

    async def claim(self, item: WorkItem) -> tuple[Lease, Child] | None:
        """Wait for a free child and claim the item; None when there is nothing to do.

        Raises Unconfirmed. A database that does not answer is waited for.
        """
        child = await self.pool.take()
        lease = None
        try:
            lease = await self._claimed(item)
        finally:
            if lease is None:
                await self.pool.give_back(child)
        return (lease, child) if lease else None

    async def _claimed(self, item: WorkItem) -> Lease | None:
        claimed = await answered(lambda: self.leases.claim(item.work_id, item.about))
        lease = await self._healed(item, claimed) if isinstance(claimed, Ended) else claimed
        if lease is None:
            return None
        if await answered(partial(self._is_stopped, item)):  # what is cancelled while it waits is never begun
            await self._release(lease)
            return None
        return lease

    async def _healed(self, item: WorkItem, ended: Ended) -> Lease | None:
        """Say the fact once more that the work has ended in; a new lease where its result is gone."""
        fact = said(ended.said)
        if fact is None or not await self.slice_runner.is_kept(item, fact):
            log.warning("the result of ended work is gone: it is done anew", work=item.work_id)
            lease = await answered(lambda: self.leases.claim(item.work_id, item.about, anew=True))
            return lease if isinstance(lease, Lease) else None
        log.info("asked for work that has ended: its fact is said again", work=item.work_id)
        await self.producer.append(fact)
        return None

    async def leave(self, lease: Lease, child: Child) -> None:
        """Give back what was claimed and is not to be done here."""
        await self._release(lease)
        await self.pool.give_back(child)

    async def work(self, item: WorkItem, lease: Lease, child: Child) -> None:
        """Do the item under its lease, append what came of it, end the lease.

        Raises Unconfirmed when the broker does not take the fact: the process must end. Whatever else goes wrong costs
        this slice alone.
        """
        logs.bind(document_id=item.document_id, cause=item.cause)
        doing = asyncio.create_task(self._outcome(item, lease, child))
        keeping = asyncio.create_task(self._keep(item, lease))
        try:
            await asyncio.wait([doing, keeping], return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                await _cancelled(doing)  # which kills the child
                keeping.result()
            reach(f"{item.stage}.stored")
            await self._append(item, lease, doing.result())
        except LeaseLost:
            log.warning("lease lost", work=item.work_id)
        except Stopped:
            await self._release(lease)  # the sweeper ends it: it knows from the log whether the work is still needed
        except Unconfirmed:
            raise
        except asyncio.CancelledError:
            await _cancelled(doing)
            await self._give_back(item, lease)
            raise
        except Exception:
            log.exception("a work item is given back", work=item.work_id)
            await self._release(lease)
        finally:
            keeping.cancel()
            await self.pool.give_back(child)

    async def _append(self, item: WorkItem, lease: Lease, outcome: Outcome) -> None:
        """Append what the work has ended in, and end its lease."""
        if not lease.is_fresh:
            await answered(lambda: self.leases.renew(lease))  # who was stopped and goes on must not speak
        fact = outcome.fact
        try:
            await self.producer.append(*outcome.opening, fact, *outcome.following)
        except ValueError as error:  # one is too large for the log; what follows a plan is done again
            if outcome.following:
                fact = fact.model_copy(update={"followed_by": None})
            else:
                fact = await self._failed(item, lease, failures.of(error, item))
            await self.producer.append(*outcome.opening, fact)
        reach(f"{item.stage}.appended")
        await answered(lambda: self.leases.end(lease, fact.encode()))
        reach(f"{item.stage}.ended")

    async def _release(self, lease: Lease) -> None:
        with suppress(*OUTAGES):  # the sweeper finds it
            await self.leases.release(lease)

    async def _give_back(self, item: WorkItem, lease: Lease) -> None:
        """Let another worker, or our next life, take the slice at once; the sweeper finds it where that fails."""
        await self._release(lease)
        with suppress(Unconfirmed):
            headers = tracing.headers(tracing.current())
            await self.producer.send(topics.slices(self.stage), item.model_dump_json().encode(), headers=headers)

    async def _keep(self, item: WorkItem, lease: Lease) -> None:
        """Renew the lease every second; raises when the work must stop.

        While the database does not answer the work goes on: no other worker can take it over either.
        """
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            await answered(lambda: self.leases.renew(lease))
            if await answered(partial(self._is_stopped, item)):
                raise Stopped(item.document_id)

    async def _is_stopped(self, item: WorkItem) -> bool:
        return item.is_stopped(await self.mongo.document_status(item.document_id))

    async def _outcome(self, item: WorkItem, lease: Lease, child: Child) -> Outcome:
        """What this work item ends in. Whatever goes wrong is the item's failure. Raises Unconfirmed."""
        if lease.losses >= MAX_LOSSES:
            lost = Failure(code="worker_lost", facts={"strikes": lease.losses})
            return Outcome(await self._failed(item, lease, lost))
        if not item.opens:
            return await self._ended_in(item, lease, child)
        opening = build_fact(StageStarted, item, f"{item.stage}/{item.attempt}")
        doing = asyncio.create_task(self._ended_in(item, lease, child))
        try:
            done, _ = await asyncio.wait([doing], timeout=_OPENING_SECONDS)
            if done:
                return doing.result()._replace(opening=(opening,))
            await self.producer.append(opening)
            return await doing
        finally:
            await _cancelled(doing)

    async def _ended_in(self, item: WorkItem, lease: Lease, child: Child) -> Outcome:
        try:
            # what was begun before may be done in part: then each slice looks for its result first
            fact, *following = await self._with_quick_tries(item, child, at_once=lease.claim_count == item.attempt == 1)
        except Exception as error:
            return Outcome(await self._failed(item, lease, failures.of(error, item)))
        return Outcome(fact, following)

    async def _with_quick_tries(self, item: WorkItem, child: Child, *, at_once: bool) -> list[Fact]:
        for attempt in range(1, _QUICK_TRIES + 1):
            try:
                return await self.slice_runner.do(item, child, at_once=at_once)
            except Transient as error:
                if attempt == _QUICK_TRIES or error.retry_after:
                    raise
                await asyncio.sleep(random.uniform(0, 0.5 * 2**attempt))
        raise AssertionError("unreachable")

    async def _failed(self, item: WorkItem, lease: Lease, failure: Failure) -> Fact:
        return build_fact(
            SliceFailed,
            item,
            f"{item.claim}/{lease.claim_count}",
            plan=item.plan,
            slice=item.slice,
            error=failure,
            strike=lease.claim_count,
            pages=await self.slice_runner.pages(item),
        )


def said(value: bytes) -> Fact | None:
    """The fact that a lease holds; None where this code cannot read it."""
    try:
        fact = decode(value)
    except (NotAnEnvelope, UnknownFact):
        return None
    return None if is_of_job(fact) else fact


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])
