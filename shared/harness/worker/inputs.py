"""What a work item needs from the store, as local files for the child: source, earlier results, plan, slices."""

import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from shared.errors import Rejected
from shared.harness.contract import Plan
from shared.harness.sandbox import temp_folders
from shared.harness.work_item import WorkItem
from shared.storage import blob_names
from shared.storage.blobs import BlobMissing, Blobs, unseal

_KEPT: Final = 64  # plans and document descriptions kept in memory


class Inputs:
    """Reads the store on behalf of one worker; what a store elsewhere holds is copied for as long as it is needed."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._kept: OrderedDict[str, Any] = OrderedDict()

    async def plan(self, name: str) -> Plan:
        """The plan in the blob of this name. Raises BlobMissing, BlobDamaged."""
        if name not in self._kept:
            self._keep(name, Plan.model_validate(unseal(await self._blobs.get(name))))
        plan: Plan = self._kept[name]
        return plan

    def remember_plan(self, name: str, plan: Plan) -> None:
        """Keep the plan that was just stored under this name, so that it need not be read."""
        self._keep(name, plan)

    @asynccontextmanager
    async def of(self, item: WorkItem) -> AsyncIterator[dict[str, Any]]:
        """The request's `document`, `source` and `earlier`. Raises Rejected("source_missing"), BlobMissing."""
        async with self._folder() as folder:
            try:
                document = await self._document(item)
                source = await self._blobs.local(blob_names.source(item.tenant, item.document_id), folder / "source")
            except BlobMissing:
                raise Rejected("source_missing") from None
            earlier = {stage: str(await self._blobs.local(name, folder / stage)) for stage, name in item.inputs.items()}
            yield {"document": document, "source": str(source), "earlier": earlier}

    @asynccontextmanager
    async def slice_results(self, item: WorkItem) -> AsyncIterator[tuple[str, list[str | None]]]:
        """The files of the plan and of its slices' results, None for each that is missing. Raises BlobMissing."""
        assert item.plan
        where = (item.tenant, item.document_id, item.stage, item.plan)
        name, missing = blob_names.plan(*where), set(item.missing)
        plan = await self.plan(name)
        async with self._folder() as folder:
            results = [
                None if number in missing
                else str(await self._blobs.local(blob_names.slice_result(*where, number), folder / str(number)))
                for number in range(len(plan.slices))
            ]  # fmt: skip
            yield str(await self._blobs.local(name, folder / "plan")), results

    async def _document(self, item: WorkItem) -> Any:
        name = blob_names.meta(item.tenant, item.document_id)
        if name not in self._kept:
            self._keep(name, await self._blobs.get_result(name))
        return self._kept[name]

    def _keep(self, name: str, value: Any) -> None:
        self._kept[name] = value
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        folder = temp_folders.make()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
