"""The slices of a stage's work: plan, slices, conclusion; done in a child and stored before the fact is appended."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, TypeVar

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

T = TypeVar("T")

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

    async def do(self, item: WorkItem, child: Child, *, at_once: bool = False) -> list[Fact]:
        """Plan, do one slice or conclude, and store the result; return its fact, which is not appended yet.

        With `at_once` a plan that is little is carried out as well: the facts of its slices and of the conclusion
        follow. A slice that fails ends it. What is not done is sent as work items of its own, under claims of its own,
        so that failures, losses and retries are counted in one way only.

        Raises Rejected, Transient, Crashed, ChildFailed, BlobMissing, BlobDamaged.
        """
        try:
            match item.slice:
                case number if number == PLAN:
                    return await self._plan(item, child, at_once=at_once)
                case number if number == CONCLUDE:
                    return [await self._conclude(item, child)]
                case _:
                    return [await self._slice(item, child)]
        finally:
            self.with_dropped_ticks.discard(item.work_id)

    async def _plan(self, item: WorkItem, child: Child, *, at_once: bool) -> list[Fact]:
        steps = await self._with_space(item, lambda: self._steps(item, child, at_once=at_once))
        plan = Plan.model_validate(unseal(steps[0]))
        plan.check(item.stage)
        item = item.model_copy(update={"plan": identity(item.inputs, plan.engine)})
        planned = build_fact(
            StagePlanned,
            item,
            f"{item.stage}/{item.attempt}/plan",
            plan=item.plan,
            slices=len(plan.slices),
            weight=plan.weight,
            page_count=plan.page_count,
            followed_by=len(steps) - 1 or None,
        )
        done = [item.model_copy(update={"slice": number}) for number in planned.done_at_once()]
        names = [_name_of(each) for each in (item, *done)]
        await self._keep(item, dict(zip(names, steps, strict=True)))
        self.inputs.remember_plan(names[0], plan)
        return [planned, *(_finished(each, plan) for each in done)]

    async def _steps(self, item: WorkItem, child: Child, *, at_once: bool) -> list[bytes]:
        """The sealed plan, then the results of what of it was done at once. Raises what the planning raises."""
        steps: list[bytes] = []
        request: dict[str, Any] = {"function": "plan"}
        if at_once:
            request["at_once"] = {"seconds": self.settings.at_once_seconds, "slices": _AT_ONCE}
        try:
            steps.append(await self._run_once(item, child, request, steps))
        except Exception as error:
            if not steps:
                raise
            log.info("the rest of a small plan is done slice by slice", work=item.work_id, reason=type(error).__name__)
        return steps

    async def _slice(self, item: WorkItem, child: Child) -> Fact:
        plan, name = await self._plan_of(item, child), _name_of(item)
        if not await self._is_done(name):
            request = {"function": "work", "slice": plan.slices[item.slice].model_dump(mode="json")}
            await self._keep(item, {name: await self._run(item, child, request)})
        return _finished(item, plan)

    async def _conclude(self, item: WorkItem, child: Child) -> Fact:
        name = _name_of(item)
        if not await self._is_done(name):
            try:
                result = await self._concluded(item, child)
            except (BlobMissing, BlobDamaged):
                await self._repair(item, child)
                result = await self._concluded(item, child)
            await self._keep(item, {name: result})
        return _concluded(item)

    async def _concluded(self, item: WorkItem, child: Child) -> bytes:
        async with self.inputs.slice_results(item) as (plan, results):
            return await self._run(item, child, {"function": "conclude", "plan": plan, "results": results})

    async def _repair(self, item: WorkItem, child: Child) -> None:
        """Compute anew every slice whose stored result was lost or damaged since it was said to be done."""
        plan = await self._plan_of(item, child)
        name = _name_of_plan(item)
        if not await self._is_done(name):  # we know it from memory, and the child reads it from the store
            await self._keep(item, {name: seal(plan.model_dump(mode="json"))})
        for number in sorted(set(range(len(plan.slices))) - set(item.missing)):
            await self._slice(item.model_copy(update={"slice": number}), child)

    async def _plan_of(self, item: WorkItem, child: Child) -> Plan:
        """The item's plan; one that was lost or damaged since is made again, which the same engine does alike.

        Raises BlobMissing or BlobDamaged where another engine would plan now.
        """
        try:
            return await self.inputs.plan(_name_of_plan(item))
        except (BlobMissing, BlobDamaged):
            sealed = await self._run(item, child, {"function": "plan"})
            plan = Plan.model_validate(unseal(sealed))
            if identity(item.inputs, plan.engine) != item.plan:
                raise
            await self._keep(item, {_name_of_plan(item): sealed})
            return plan

    async def _is_done(self, name: str) -> bool:
        """Whether a sound result is there already, from an earlier claim that died before its fact."""
        try:
            await self.blobs.get_result(name)
        except (BlobMissing, BlobDamaged):
            return False
        return True

    async def _keep(self, item: WorkItem, computed: Mapping[str, bytes]) -> None:
        """Store what was computed, by name; while the store is full it waits here, so that it is computed once."""
        await self._with_space(item, lambda: self.blobs.put_all(computed), fraction=1)

    async def _run(self, item: WorkItem, child: Child, request: Mapping[str, Any]) -> bytes:
        return await self._with_space(item, lambda: self._run_once(item, child, request, []))

    async def _with_space(self, item: WorkItem, action: Callable[[], Awaitable[T]], fraction: float = 0) -> T:
        """The result of `action`, repeated while there is no space for it; people are told, with `fraction` done."""
        return await with_space(action, lambda: self._tick(item, {**_NO_SPACE, "fraction": fraction}))

    async def _run_once(self, item: WorkItem, child: Child, request: Mapping[str, Any], steps: list[bytes]) -> bytes:
        """The last result; those of the steps before it are added to `steps` as they come."""
        settings = self.settings
        try:
            async with self.inputs.of(item) as inputs:
                cores = {"folder": str(settings.cores_folder.absolute()), "count": settings.cores}
                return await child.run(
                    {**request, **inputs, "cores": cores, "needs_core": item.needs_core, "rank": self.rank},
                    deadline=settings.plan_deadline_seconds if item.slice == PLAN else settings.slice_deadline_seconds,
                    memory_mb=settings.child_memory_mb,
                    on_tick=lambda tick: self._tick(_in_hand(item, steps), tick, item.work_id),
                    on_step=steps.append,
                    result_mb=settings.result_mb,
                )
        except OSError as error:
            raise no_space_here(error) or error from error

    def _tick(self, item: WorkItem, tick: Any, claimed: str | None = None) -> None:
        """Pass a tick on; one that cannot be read is dropped, with one log line for what was `claimed`."""
        try:
            self.producer.tick(progress_of(item, tick))
        except ValueError as error:
            work = claimed or item.work_id
            if work not in self.with_dropped_ticks:
                self.with_dropped_ticks.add(work)
                log.warning("a tick is dropped", work=work, reason=str(error).splitlines()[-1][:200])

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
            plan = await self.inputs.plan(_name_of_plan(item))
            return plan.slices[item.slice].pages
        except Exception as error:  # a failure is always reported
            log.warning("the pages of a failed slice are not known", work=item.work_id, reason=type(error).__name__)
            return None


def _name_of_plan(item: WorkItem) -> str:
    """The name of the blob that the item's plan is in; it is known."""
    assert item.plan
    return blob_names.plan(item.tenant, item.document_id, item.stage, item.plan)


def _name_of(item: WorkItem) -> str:
    """The name of the blob that the item's result goes into; its plan is known."""
    if item.slice == PLAN:
        return _name_of_plan(item)
    assert item.plan
    where = (item.tenant, item.document_id, item.stage, item.plan)
    if item.slice == CONCLUDE:
        return blob_names.result(*where, item.missing)
    return blob_names.slice_result(*where, item.slice)


def _in_hand(item: WorkItem, steps: Sequence[bytes]) -> WorkItem:
    """The step that is done after `steps`: the item itself, or what of its plan is done at once."""
    if not steps:
        return item
    slices, number = len(unseal(steps[0])["slices"]), len(steps) - 1
    return item.model_copy(update={"slice": number if number < slices else CONCLUDE})


def _finished(item: WorkItem, plan: Plan) -> Fact:
    """The fact that the item's result is stored: of a slice, or of the conclusion."""
    if item.slice == CONCLUDE:
        return _concluded(item)
    slice_ = plan.slices[item.slice]
    return build_fact(
        SliceCompleted,
        item,
        f"{item.stage}/{item.plan}/{item.slice}",
        plan=item.plan,
        slice=item.slice,
        weight=slice_.weight,
        pages=slice_.pages,
    )


def _concluded(item: WorkItem) -> Fact:
    claim, result = f"{item.stage}/{item.attempt}", _name_of(item)
    return build_fact(StageCompleted, item, claim, plan=item.plan, result=result, partial=bool(item.missing))


def identity(inputs: Mapping[str, str], engine: str) -> str:
    """A plan's id: what goes in, and with what it is done."""
    return sha256(orjson.dumps([sorted(inputs.items()), engine])).hexdigest()[:16]
