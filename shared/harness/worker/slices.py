"""The slices of a stage's work: plan, slices, conclusion; done in a child and stored before the fact is appended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import orjson

from shared.errors import Transient
from shared.events.document import CONCLUDE, PLAN, Fact, SliceCompleted, StageCompleted, StagePlanned
from shared.harness.contract import Plan
from shared.harness.sandbox.pool import Child
from shared.harness.settings import StageSettings
from shared.harness.work_item import WorkItem, build_fact
from shared.harness.worker.disk_space import with_space
from shared.harness.worker.inputs import Inputs
from shared.harness.worker.ticks import progress_of
from shared.kafka.producer import Producer
from shared.runtime import logs
from shared.storage import blob_names
from shared.storage.blobs import BlobDamaged, BlobMissing, Blobs, no_space_here, seal, unseal

log = logs.get(__name__)

_AT_ONCE: Final = 8  # slices under one claim
_NO_SPACE: Final[Mapping[str, Any]] = {"code": "stage.waiting_for_space", "params": {}}


@dataclass(frozen=True)
class SliceRunner:
    """Does one slice at a time for the worker that holds its lease."""

    settings: StageSettings
    producer: Producer  # for ticks only
    blobs: Blobs
    inputs: Inputs
    rank: int = 0  # of the stage in the pipeline: later ones go before earlier ones where cores are short
    with_dropped_ticks: set[str] = field(default_factory=set)  # the work of which a tick was dropped, while it lasts

    async def do(self, item: WorkItem, child: Child) -> Fact:
        """Plan, do one slice or conclude, and store the result; return its fact, which is not appended yet.

        Raises Rejected, Transient, Crashed, ChildFailed, BlobMissing, BlobDamaged.
        """
        try:
            match item.slice:
                case number if number == PLAN:
                    return await self._plan(item, child)
                case number if number == CONCLUDE:
                    return await self._conclude(item, child)
                case _:
                    return await self._slice(item, child)
        finally:
            self.with_dropped_ticks.discard(item.work_id)

    async def do_at_once(self, item: WorkItem, planned: StagePlanned, child: Child) -> list[Fact]:
        """Do what was just planned, where that is little: the facts of its slices and of the conclusion.

        A slice that fails ends it. What is not done here is sent as work items of its own, under claims of its own, so
        that failures, losses and retries are counted in one way only.
        """
        if planned.weight > self.settings.at_once_seconds or planned.slices > _AT_ONCE:
            return []
        item = item.model_copy(update={"plan": planned.plan, "opens": False})
        facts: list[Fact] = []
        try:
            for number in planned.steps():
                facts.append(await self.do(item.model_copy(update={"slice": number}), child))
        except Exception as error:
            log.info("the rest of a small plan is done slice by slice", work=item.work_id, reason=type(error).__name__)
        return facts

    async def _plan(self, item: WorkItem, child: Child) -> StagePlanned:
        sealed = await self._run(item, child, {"function": "plan"})
        plan = Plan.model_validate(unseal(sealed))
        plan.check(item.stage)
        plan_id = identity(item.inputs, plan.engine)
        where = (item.tenant, item.document_id, item.stage, plan_id)
        await self._keep(item, blob_names.plan(*where), sealed)
        self.inputs.remember_plan(*where, plan)
        return build_fact(
            StagePlanned,
            item,
            f"{item.stage}/{item.attempt}/plan",
            plan=plan_id,
            slices=len(plan.slices),
            weight=sum(slice_.weight for slice_ in plan.slices),
            page_count=plan.page_count,
        )

    async def _slice(self, item: WorkItem, child: Child) -> Fact:
        assert item.plan
        slice_ = (await self._plan_of(item, child)).slices[item.slice]
        name = blob_names.slice_result(item.tenant, item.document_id, item.stage, item.plan, item.slice)
        if not await self._is_done(name):
            request = {"function": "work", "slice": slice_.model_dump(mode="json")}
            await self._keep(item, name, await self._run(item, child, request))
        return build_fact(
            SliceCompleted,
            item,
            f"{item.stage}/{item.plan}/{item.slice}",
            plan=item.plan,
            slice=item.slice,
            weight=slice_.weight,
            pages=slice_.pages,
        )

    async def _conclude(self, item: WorkItem, child: Child) -> Fact:
        assert item.plan
        name = blob_names.result(item.tenant, item.document_id, item.stage, item.plan, item.missing)
        if not await self._is_done(name):
            try:
                result = await self._concluded(item, child)
            except (BlobMissing, BlobDamaged):
                await self._repair(item, child)
                result = await self._concluded(item, child)
            await self._keep(item, name, result)
        claim = f"{item.stage}/{item.attempt}"
        return build_fact(StageCompleted, item, claim, plan=item.plan, result=name, partial=bool(item.missing))

    async def _concluded(self, item: WorkItem, child: Child) -> bytes:
        async with self.inputs.slice_results(item) as (plan, results):
            return await self._run(item, child, {"function": "conclude", "plan": plan, "results": results})

    async def _repair(self, item: WorkItem, child: Child) -> None:
        """Compute anew every slice whose stored result was lost or damaged since it was said to be done."""
        assert item.plan
        plan = await self._plan_of(item, child)
        name = blob_names.plan(item.tenant, item.document_id, item.stage, item.plan)
        if not await self._is_done(name):  # we know it from memory, and the child reads it from the store
            await self._keep(item, name, seal(plan.model_dump(mode="json")))
        for number in sorted(set(range(len(plan.slices))) - set(item.missing)):
            await self._slice(item.model_copy(update={"slice": number}), child)

    async def _plan_of(self, item: WorkItem, child: Child) -> Plan:
        """The item's plan; one that was lost or damaged since is made again, which the same engine does alike.

        Raises BlobMissing or BlobDamaged where another engine would plan now.
        """
        assert item.plan
        where = (item.tenant, item.document_id, item.stage, item.plan)
        try:
            return await self.inputs.plan(*where)
        except (BlobMissing, BlobDamaged):
            sealed = await self._run(item, child, {"function": "plan"})
            plan = Plan.model_validate(unseal(sealed))
            if identity(item.inputs, plan.engine) != item.plan:
                raise
            await self._keep(item, blob_names.plan(*where), sealed)
            return plan

    async def _is_done(self, name: str) -> bool:
        """Whether a sound result is there already, from an earlier claim that died before its fact."""
        try:
            await self.blobs.get_result(name)
        except (BlobMissing, BlobDamaged):
            return False
        return True

    async def _keep(self, item: WorkItem, name: str, computed: bytes) -> None:
        """Store what was computed; while the store is full it waits here, so that it is computed once."""
        await with_space(lambda: self.blobs.put(name, computed), lambda: self._tick(item, {**_NO_SPACE, "fraction": 1}))

    async def _run(self, item: WorkItem, child: Child, request: Mapping[str, Any]) -> bytes:
        return await with_space(
            lambda: self._run_once(item, child, request), lambda: self._tick(item, {**_NO_SPACE, "fraction": 0})
        )

    async def _run_once(self, item: WorkItem, child: Child, request: Mapping[str, Any]) -> bytes:
        settings = self.settings
        try:
            async with self.inputs.of(item) as inputs:
                cores = {"folder": str(settings.cores_folder.absolute()), "count": settings.cores}
                return await child.run(
                    {**request, **inputs, "cores": cores, "needs_core": item.needs_core, "rank": self.rank},
                    deadline=settings.plan_deadline_seconds if item.slice == PLAN else settings.slice_deadline_seconds,
                    memory_mb=settings.child_memory_mb,
                    on_tick=lambda tick: self._tick(item, tick),
                    result_mb=settings.result_mb,
                )
        except OSError as error:
            raise no_space_here(error) or error from error

    def _tick(self, item: WorkItem, tick: Any) -> None:
        """Pass a tick on; one that cannot be read is dropped, with one log line for each slice."""
        try:
            self.producer.tick(progress_of(item, tick))
        except ValueError as error:
            if item.work_id not in self.with_dropped_ticks:
                self.with_dropped_ticks.add(item.work_id)
                log.warning("a tick is dropped", work=item.work_id, reason=str(error).splitlines()[-1][:200])

    async def is_kept(self, item: WorkItem, fact: Fact) -> bool:
        """Whether the result that `fact` names is stored; True where the store does not answer."""
        where = (item.tenant, item.document_id, item.stage)
        match fact:
            case StagePlanned():
                name = blob_names.plan(*where, fact.plan)
            case SliceCompleted() if fact.plan:
                name = blob_names.slice_result(*where, fact.plan, fact.slice)
            case StageCompleted():
                name = fact.result
            case _:
                return True
        try:
            return await self.blobs.exists(name)
        except Transient:
            return True

    async def pages(self, item: WorkItem) -> tuple[int, int] | None:
        """The pages that the slice is about; None also where the plan, which may be why it failed, does not say."""
        if item.plan is None or item.slice < 0:
            return None
        try:
            plan = await self.inputs.plan(item.tenant, item.document_id, item.stage, item.plan)
            return plan.slices[item.slice].pages
        except Exception as error:  # a failure is always reported
            log.warning("the pages of a failed slice are not known", work=item.work_id, reason=type(error).__name__)
            return None


def identity(inputs: Mapping[str, str], engine: str) -> str:
    """A plan's id: what goes in, and with what it is done."""
    return sha256(orjson.dumps([sorted(inputs.items()), engine])).hexdigest()[:16]
