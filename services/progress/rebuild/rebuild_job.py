"""A rebuild as a standalone job that can be watched.

The rebuild publishes its start and its end. The live projector publishes its progress, from the checkpoint of the
generation that is being built: the builder itself has no producer. A rebuild that was killed is shown as stalled.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from services.progress.projection import generations
from shared.errors import Rejected
from shared.events.document import utcnow
from shared.events.standalone_job import JobCompleted, JobFailed, JobProgress, JobStarted
from shared.kafka.producer import Producer
from shared.projecting.checkpoint import CheckpointGone, Positions
from shared.storage.credentials import DEFAULT_TENANT
from shared.storage.mongo import Mongo

SILENT_AFTER: Final = 60.0  # seconds; comparing large generations takes its time


@asynccontextmanager
async def published_job(producer: Producer, database: Mongo, generation: str) -> AsyncIterator[str]:
    """Let the block be a job of this id: started, and completed or failed with what the block raises."""
    job_id = await generations.job_of(database, generation) or f"rebuild-{generation}-{secrets.token_hex(2)}"
    await generations.name_job(database, generation, job_id)
    await producer.append(JobStarted.claim(claim="1", kind="rebuild", silent_after=SILENT_AFTER, **_about(job_id)))
    try:
        yield job_id
    except Rejected as error:
        await generations.name_job(database, generation, None)
        await producer.append(JobFailed.claim(claim=error.code, code=error.code, percent=0, **_about(job_id)))
        raise
    await generations.name_job(database, generation, None)
    await producer.append(JobCompleted.claim(claim="1", **_about(job_id)))


class RebuildTicks:
    """The live projector's ticks on generations that are being built."""

    def __init__(self, database: Mongo, producer: Producer) -> None:
        self._mongo = database
        self._producer = producer
        self._published: dict[str, int] = {}  # records replayed, by job

    async def publish(self, live: Positions) -> None:
        """Publish a tick for each that has moved, relative to the positions of the live projection."""
        moved = {}
        for generation, job_id in (await generations.jobs(self._mongo)).items():
            try:
                replayed = sum((await generations.checkpoint(self._mongo, generation).load()).values())
            except CheckpointGone:  # it has just been dropped
                continue
            moved[job_id] = replayed or await generations.restored(self._mongo, generation)
            if moved[job_id] != self._published.get(job_id):
                self._producer.tick(_tick(job_id, moved[job_id], sum(live.values())))
        self._published = moved


def _tick(job_id: str, done: int, total: int) -> JobProgress:
    return JobProgress(
        job_id=job_id,
        tenant=DEFAULT_TENANT,
        percent=min(100.0, 100.0 * done / total) if total else 0.0,
        code="rebuild.replaying",
        params={"done": done, "total": max(done, total)},
        at=utcnow(),
    )


def _about(job_id: str) -> dict[str, Any]:
    return {"job_id": job_id, "tenant": DEFAULT_TENANT, "at": utcnow(), "producer": "rebuild"}
