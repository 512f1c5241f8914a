"""One document on a worker's desk: real leases, a real log, real children of the stage `restless`."""

import asyncio
import uuid
from pathlib import Path
from typing import Any, Final

from shared.events.document import PLAN, Fact
from shared.harness.contract import Document, Plan, Slice
from shared.harness.work_item import WorkItem
from shared.harness.worker.worker import Worker
from shared.runtime.settings import SharedSettings
from shared.storage import blob_names
from shared.storage.mongo import Mongo
from tests.support import kafka

STAGES: Final = Path(__file__).parents[1] / "integration" / "stages"


class Desk:
    """One document on a worker's desk."""

    def __init__(self, worker: Worker, database: Mongo, settings: SharedSettings) -> None:
        self.worker = worker
        self.database = database
        self.settings = settings
        self.document_id = str(uuid.uuid4())
        self.plan_id = "p1"

    async def put_document(self, *slices: dict[str, Any]) -> None:
        """The blobs of an uploaded document, and a plan with one slice for each of `slices`."""
        blobs, document_id = self.worker.slice_runner.blobs, self.document_id
        document = Document(document_id=document_id, tenant="t", filename="a", content_type=None, size=1)
        await blobs.put(blob_names.source("t", document_id), b"v1")
        await blobs.put_result(blob_names.meta("t", document_id), document.model_dump(mode="json"))
        await blobs.put_result(f"t/{document_id}/earlier", {"text": "read before"})
        plan = Plan(engine="e", slices=tuple(Slice(args=args, pages=(n, n)) for n, args in enumerate(slices, start=1)))
        await blobs.put_result(blob_names.plan("t", document_id, "odd", self.plan_id), plan.model_dump(mode="json"))

    def item(self, number: int, **changes: Any) -> WorkItem:
        plan = None if number == PLAN else self.plan_id
        fields = {"attempt": 1, "run": 1, "plan": plan, "slice": number, "opens": False, **changes}
        inputs = {"ocr": f"t/{self.document_id}/earlier"}
        return WorkItem(document_id=self.document_id, tenant="t", stage="odd", inputs=inputs, **fields)

    async def do(self, item: WorkItem) -> list[Fact]:
        """Claim and work; the facts that came of it."""
        before = len(await self.facts())
        claimed = await self.worker.claim(item)
        assert claimed
        async with asyncio.timeout(60):
            await self.worker.work(item, *claimed)
        return (await self.facts())[before:]

    async def facts(self) -> list[Fact]:
        return await kafka.facts_of(self.settings.kafka, self.document_id)

    async def lease(self, item: WorkItem) -> dict[str, Any]:
        row = await self.database.control["leases"].find_one({"_id": item.work_id})
        assert row
        return row

    async def show(self, status: str, run: int = 1) -> None:
        """Let the live projection say that the document is in `status`, in this run."""
        row = {"_id": self.document_id, "view": {"status": status}, "settled": {"run": run}}
        await self.database.projection("documents", "g1").replace_one({"_id": row["_id"]}, row, upsert=True)
        await self.database.generations.replace_one({"_id": "live"}, {"generation": "g1"}, upsert=True)


async def expire(database: Mongo, item: WorkItem) -> None:
    """Let the lease of a work item run out."""
    past = {"$subtract": ["$$NOW", 1]}
    await database.control["leases"].update_one({"_id": item.work_id}, [{"$set": {"expires_at": past}}])
