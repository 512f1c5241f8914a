"""The worker: waits for a free child, claims a slice, acknowledges, and works on it under a lease.

From the claim on the lease is the truth: Kafka's redelivery covers only the gap before it, the sweeper everything
after. A failure is a fact, never a nack; only a broker that does not confirm a fact ends the process.
"""

import asyncio
import random
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeVar

import orjson

from shared import blobs as names
from shared import logs, topics
from shared.blobs import BlobDamaged, BlobMissing, Blobs, unseal
from shared.errors import PagestreamError, Rejected, Transient
from shared.events import (
    CONCLUDE,
    PLAN,
    Envelope,
    Fact,
    Failure,
    Progress,
    SliceCompleted,
    SliceFailed,
    StageCompleted,
    StagePlanned,
    StageStarted,
    utcnow,
)
from shared.failpoints import reach
from shared.harness.children import Child, ChildFailed, Crashed, Pool
from shared.harness.contract import Plan
from shared.harness.inputs import Inputs
from shared.harness.items import MAX_LOSSES, WorkItem
from shared.harness.settings import StageSettings
from shared.kafka import Log
from shared.leases import Lease, LeaseLost, Leases
from shared.mongo import Mongo

log = logs.get(__name__)

F = TypeVar("F", bound=Envelope)

_RENEW_SECONDS: Final = 1.0
_QUICK_TRIES: Final = 3  # against the outside world, before the failure becomes a fact


class Stopped(Exception):
    """The document is being cancelled or deleted: the work ends without a fact."""


@dataclass(frozen=True)
class Worker:
    """Does the slices of one stage."""

    stage: str
    settings: StageSettings
    log: Log
    blobs: Blobs
    mongo: Mongo
    leases: Leases
    inputs: Inputs
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
        """Let another worker, or our next life, take the piece at once."""
        await self.leases.release(lease)
        await self.log.send(topics.slices(self.stage), item.model_dump_json().encode())

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
            await self.log.append(self._say(StageStarted, item, claim))
        try:
            return await self._with_quick_tries(item, child)
        except Rejected as error:
            failure = _failure(error, retryable=False)
        except Transient as error:
            failure = _failure(error, retryable=True, retry_after=error.retry_after)
        except Crashed as error:
            failure = Failure(code=error.code, facts=error.facts, retryable=True)
        except (BlobMissing, BlobDamaged):
            failure = Failure(code="result_missing", facts={"name": item.stage}, retryable=True)
        except ChildFailed as error:
            reference = uuid.uuid4().hex[:12]
            log.error("stage code failed", reference=reference, work=item.work_id, traceback=str(error))
            failure = Failure(code="internal", facts={"reference": reference}, retryable=True)
        log.info("slice failed", work=item.work_id, code=failure.code, facts=failure.facts)
        return await self._failed(item, lease, failure)

    async def _with_quick_tries(self, item: WorkItem, child: Child) -> Fact:
        for attempt in range(1, _QUICK_TRIES + 1):
            try:
                return await self._do(item, child)
            except Transient as error:
                if attempt == _QUICK_TRIES or error.retry_after:
                    raise
                await asyncio.sleep(random.uniform(0, 0.5 * 2**attempt))
        raise AssertionError("unreachable")

    async def _do(self, item: WorkItem, child: Child) -> Fact:
        match item.slice:
            case number if number == PLAN:
                return await self._plan(item, child)
            case number if number == CONCLUDE:
                return await self._conclude(item, child)
            case _:
                return await self._slice(item, child)

    async def _plan(self, item: WorkItem, child: Child) -> Fact:
        sealed = await self._run(item, child, {"function": "plan"})
        plan = Plan.model_validate(unseal(sealed))
        plan_id = identity(item.inputs, plan.engine)
        await self.blobs.put(names.plan(item.tenant, item.document_id, self.stage, plan_id), sealed)
        return self._say(
            StagePlanned,
            item,
            f"{item.stage}/{item.attempt}/plan",
            plan=plan_id,
            slices=len(plan.slices),
            weight=sum(piece.weight for piece in plan.slices),
            page_count=plan.page_count,
        )

    async def _slice(self, item: WorkItem, child: Child) -> Fact:
        assert item.plan
        piece = (await self.inputs.plan(item.tenant, item.document_id, self.stage, item.plan)).slices[item.slice]
        name = names.piece(item.tenant, item.document_id, self.stage, item.plan, item.slice)
        if not await self._is_done(name):
            request = {"function": "work", "slice": piece.model_dump(mode="json")}
            await self.blobs.put(name, await self._run(item, child, request))
        return self._say(
            SliceCompleted,
            item,
            f"{item.stage}/{item.plan}/{item.slice}",
            plan=item.plan,
            slice=item.slice,
            weight=piece.weight,
            pages=piece.pages,
        )

    async def _conclude(self, item: WorkItem, child: Child) -> Fact:
        assert item.plan
        name = names.result(item.tenant, item.document_id, self.stage, item.plan, item.missing)
        if not await self._is_done(name):
            try:
                result = await self._concluded(item, child)
            except (BlobMissing, BlobDamaged):
                await self._repair(item, child)
                result = await self._concluded(item, child)
            await self.blobs.put(name, result)
        claim = f"{item.stage}/{item.attempt}"
        return self._say(StageCompleted, item, claim, plan=item.plan, result=name, partial=bool(item.missing))

    async def _concluded(self, item: WorkItem, child: Child) -> bytes:
        async with self.inputs.pieces(item) as (plan, results):
            return await self._run(item, child, {"function": "conclude", "plan": plan, "results": results})

    async def _repair(self, item: WorkItem, child: Child) -> None:
        """Compute anew every piece whose stored result was lost or damaged since it was said to be done."""
        assert item.plan
        plan = await self.inputs.plan(item.tenant, item.document_id, self.stage, item.plan)
        for number in sorted(set(range(len(plan.slices))) - set(item.missing)):
            await self._slice(item.model_copy(update={"slice": number}), child)

    async def _is_done(self, name: str) -> bool:
        """Whether a sound result is there already, from an earlier claim that died before its fact."""
        try:
            await self.blobs.get_result(name)
        except (BlobMissing, BlobDamaged):
            return False
        return True

    async def _run(self, item: WorkItem, child: Child, request: Mapping[str, Any]) -> bytes:
        async with self.inputs.of(item) as inputs:
            return await child.run(
                {**request, **inputs},
                deadline=self.settings.slice_deadline_seconds,
                memory_mb=self.settings.child_memory_mb,
                on_tick=lambda tick: self._tick(item, tick),
            )

    def _tick(self, item: WorkItem, tick: Mapping[str, Any]) -> None:
        progress = Progress(
            document_id=item.document_id,
            tenant=item.tenant,
            stage=item.stage,
            attempt=item.attempt,
            slice=item.slice,
            at=utcnow(),
            **tick,
        )
        self.log.tick(progress)

    async def _failed(self, item: WorkItem, lease: Lease, failure: Failure) -> Fact:
        return self._say(
            SliceFailed,
            item,
            f"{item.claim}/{lease.strikes}",
            plan=item.plan,
            slice=item.slice,
            error=failure,
            strike=lease.strikes,
            pages=await self._pages(item),
        )

    async def _pages(self, item: WorkItem) -> tuple[int, int] | None:
        """The pages that the piece is about; None also where the plan, and so the reason of the failure, is lost."""
        if item.plan is None or item.slice < 0:
            return None
        with suppress(BlobMissing, BlobDamaged, Transient):
            plan = await self.inputs.plan(item.tenant, item.document_id, self.stage, item.plan)
            return plan.slices[item.slice].pages
        return None

    def _say(self, kind: type[F], item: WorkItem, claim: str, **fields: Any) -> F:
        return kind.claim(
            document_id=item.document_id,
            claim=claim,
            tenant=item.tenant,
            cause=item.cause,
            at=utcnow(),
            producer=f"{self.stage}-worker",
            stage=item.stage,
            attempt=item.attempt,
            **fields,
        )


def identity(inputs: Mapping[str, str], engine: str) -> str:
    """A plan's id: what goes in, and with what it is done."""
    return sha256(orjson.dumps([sorted(inputs.items()), engine])).hexdigest()[:16]


def _failure(error: PagestreamError, *, retryable: bool, retry_after: float | None = None) -> Failure:
    facts = {name: value if isinstance(value, int | float | bool | None) else str(value)[:200]
             for name, value in error.facts.items()}  # fmt: skip
    page = facts.get("page")
    return Failure(
        code=error.code,
        facts=facts,
        retryable=retryable,
        retry_after=retry_after,
        page=page if isinstance(page, int) else None,
    )


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])
