"""Generations of the projection that a test feeds by hand."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from services.progress.projection.projector import Projector
from services.progress.projection.result_backlog import ResultBacklog
from services.progress.projection.stored_results import StoredResults
from shared.events.document import Fact
from shared.kafka.producer import Producer
from shared.projecting.batch import Batch, Entry
from shared.storage.blob_names import meta
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo

VECTOR: Final = "AACAPwAAAEA="  # [1.0, 2.0] as float32 in base64


def batches(facts: Sequence[Fact], size: int) -> list[Batch]:
    """The facts as one partition of the log hands them out, `size` at a time."""
    entries = [Entry(offset, fact) for offset, fact in enumerate(facts)]
    return [Batch(facts=entries[at : at + size]) for at in range(0, len(entries), size)]


class Bench:
    """Generations of the projection in the test's database, each fed by hand."""

    def __init__(self, database: Mongo, blobs: Blobs, producer: Producer) -> None:
        self.database = database
        self.blobs = blobs
        self.producer = producer

    async def generation(self) -> str:
        name = uuid.uuid4().hex[:6]
        await self.database.create_projections(name)
        await self.database.generations.insert_one({"_id": name, "live_since": None})
        return name

    def projector(self, generation: str, producer: Producer | None = None) -> Projector:
        return Projector(self.database, generation, self.blobs, producer)

    async def folded(self, facts: Sequence[Fact], size: int) -> str:
        """A generation with these facts."""
        generation = await self.generation()
        projector = self.projector(generation)
        for batch in batches(facts, size):
            await (await projector.apply(batch))()
        return generation

    async def store_results(self, generation: str) -> None:
        results = StoredResults(self.database, generation, self.blobs)
        await ResultBacklog(results, self.projector(generation).states).work_off()

    async def upload(self, document_id: str) -> None:
        """The blobs of a document whose stages are done."""
        await self.blobs.put_result(meta("default", document_id), {"filename": "lease.pdf"})
        chunk = {"index": 0, "text": "a", "pages": [1, 2], "start": 0, "end": 1, "heading_path": [], "vector": VECTOR}
        await self.blobs.put_result(f"default/{document_id}/chunk/p/result", {"chunks": [chunk]})
        await self.blobs.put_result(f"default/{document_id}/extract/p/result", {"title": "Lease", "findings": []})

    async def row(self, name: str, generation: str, i: str) -> dict[str, Any] | None:
        return await self.database.projection(name, generation).find_one({"_id": i})
