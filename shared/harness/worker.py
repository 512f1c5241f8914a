"""The worker: waits for a free child, claims a slice, acknowledges, and works on it under a lease.

From the claim on the lease is the truth: Kafka's redelivery covers only the gap before it, the sweeper everything
after. A failure is a fact, never a nack; only a broker that does not confirm a fact ends the process.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from shared import logs, topics, tracing
from shared.errors import Transient
from shared.events import Fact, Failure, SliceFailed, StageStarted
from shared.failpoints import reach
from shared.harness import failures
from shared.harness.children import Child, Pool
from shared.harness.items import MAX_LOSSES, WorkItem, say
from shared.harness.pieces import Pieces
from shared.kafka import Log, Unconfirmed
from shared.leases import Lease, LeaseLost, Leases
from shared.mongo import Mongo

log = logs.get(__name__)

_RENEW_SECONDS: Final = 1.0
_QUICK_TRIES: Final = 3  # against the outside world, before the failure becomes a fact


class Stopped(Exception):
    """The document is being cancelled or deleted: the work ends without a fact."""


@dataclass(frozen=True)
class Worker:
    """Does the slices of one stage."""

    stage: str
    log: Log
    mongo: Mongo
    leases: Leases
    pieces: Pieces
    pool: Pool

    async def claim(self, item: WorkItem) -> tuple[Lease, Child] | None:
        """Wait for a free child and claim the item; None when there is nothing to do."""
        child = await self.pool.take()
        about = {"document_id": item.document_id, "tenant": item.tenant, "stage": item.stage} | {
            "attempt": item.attempt, "plan": item.plan, "slice": item.slice
        }  # fmt: skip
        lease = await self.leases.claim(item.work_id, about)
        if lease and await self._is_stopped(item):  # what is cancelled while it waits is never begun
            await self.leases.end(lease)
            lease = None
        if lease is None:
            await self.pool.give_back(child)
            return None
        return lease, child

    async def work(self, item: WorkItem, lease: Lease, child: Child) -> None:
        """Do the item under its lease, append what came of it, end the lease.

        Raises Unconfirmed when the broker does not take the fact: the process must end.
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
            await self.leases.renew(lease)  # who was stopped and goes on must not speak
            await self.log.append(doing.result())
            reach(f"{item.stage}.appended")
            await self.leases.end(lease)
            reach(f"{item.stage}.ended")
        except LeaseLost:
            log.warning("lease lost", work=item.work_id)
        except Stopped:
            await self.leases.end(lease)
        except asyncio.CancelledError:
            await _cancelled(doing)
            await self._give_back(item, lease)
            raise
        finally:
            keeping.cancel()
            await self.pool.give_back(child)

    async def _give_back(self, item: WorkItem, lease: Lease) -> None:
        """Let another worker, or our next life, take the piece at once; the sweeper finds it where that fails."""
        await self.leases.release(lease)
        with suppress(Unconfirmed):
            headers = tracing.headers(tracing.current())
            await self.log.send(topics.slices(self.stage), item.model_dump_json().encode(), headers=headers)

    async def _keep(self, item: WorkItem, lease: Lease) -> None:
        """Renew the lease every second; raises when the work must stop."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            await self.leases.renew(lease)
            if await self._is_stopped(item):
                raise Stopped(item.document_id)

    async def _is_stopped(self, item: WorkItem) -> bool:
        return await self.mongo.document_status(item.document_id) in ("cancelling", "cancelled", "deleted")

    async def _outcome(self, item: WorkItem, lease: Lease, child: Child) -> Fact:
        """The one fact that this piece of work ends in."""
        if lease.losses >= MAX_LOSSES:
            return await self._failed(item, lease, Failure(code="worker_lost", facts={"strikes": lease.losses}))
        if item.opens:
            claim = f"{item.stage}/{item.attempt}"
            await self.log.append(say(StageStarted, item, claim))
        try:
            return await self._with_quick_tries(item, child)
        except failures.EXPECTED as error:
            return await self._failed(item, lease, failures.of(error, item))

    async def _with_quick_tries(self, item: WorkItem, child: Child) -> Fact:
        for attempt in range(1, _QUICK_TRIES + 1):
            try:
                return await self.pieces.do(item, child)
            except Transient as error:
                if attempt == _QUICK_TRIES or error.retry_after:
                    raise
                await asyncio.sleep(random.uniform(0, 0.5 * 2**attempt))
        raise AssertionError("unreachable")

    async def _failed(self, item: WorkItem, lease: Lease, failure: Failure) -> Fact:
        return say(
            SliceFailed,
            item,
            f"{item.claim}/{lease.strikes}",
            plan=item.plan,
            slice=item.slice,
            error=failure,
            strike=lease.strikes,
            pages=await self.pieces.pages(item),
        )


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])
