"""The projector's part for standalone jobs: folds their facts and ticks into the collection `jobs`, notifies gateways.

A notice names only the newer version: titles and messages are people's words, and no topic carries them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import orjson

from services.progress.projection import job_row as projection
from services.progress.projection.job_row import JobRow
from shared.events.standalone_job import JobFact, JobFailed, JobProgress, JobStalled, JobStarted, OfJob
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.projecting.batch import JobEntry
from shared.projecting.state_store import StateStore
from shared.storage import blob_names
from shared.storage.blobs import BlobDamaged, BlobMissing, Blobs
from shared.storage.mongo import Mongo, Row

_WORDS: Final = ("title", "message", "action")


class JobProjector:
    """Keeps the jobs of one generation."""

    def __init__(
        self,
        database: Mongo,
        generation: str,
        blobs: Blobs,
        producer: Producer | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._generation = generation
        self._blobs = blobs
        self._producer = producer
        self._clock = clock
        self._heard: dict[str, float] = {}  # when each job that promised signs of life was heard of, by this clock
        self._early: dict[str, JobProgress] = {}  # ticks read before their job: a replay reads the topics side by side
        rows = database.projection("jobs", generation)
        self._states: StateStore[JobRow] = StateStore(rows, projection.from_row)

    async def fold(self, entries: list[JobEntry]) -> Mapping[str, JobRow]:
        """Fold the entries of a batch in memory; the jobs that `write` is to be given."""
        if not entries:
            return {}
        kept = await self._states.load({entry.item.job_id for entry in entries})
        for entry in entries:
            await self._fold(entry, kept)
            self._hear(entry.item.job_id, kept)
        self._states.keep(kept)
        return kept

    async def write(self, jobs: Mapping[str, JobRow]) -> None:
        """Write jobs and publish them; what is read again is published again."""
        if jobs:
            rows = {i: projection.to_row(found, self._generation) for i, found in jobs.items()}
            await self._states.store(jobs, rows)
            await self._publish(rows)

    async def take_up(self, rows: Sequence[Row]) -> None:
        """Write jobs as a snapshot has them."""
        jobs = {row["_id"]: projection.from_row(row) for row in rows}
        self._states.keep(jobs)
        await self._states.store(jobs, {i: projection.to_row(found, self._generation) for i, found in jobs.items()})

    async def silent(self, now: datetime) -> list[JobStalled]:
        """The facts due for jobs that have been silent for longer than they promised.

        The time of a tick is another machine's clock, so the silence must be as long by this machine's clock, too.
        """
        found, clock = await self._states.where({"due": {"$lte": now}}), self._clock()
        return [
            projection.stalled(job, now)
            for i, job in found.items()
            if clock - self._heard.setdefault(i, clock) >= (job.state.silent_after or 0.0)
        ]

    def _hear(self, job_id: str, kept: Mapping[str, JobRow]) -> None:
        if (job := kept.get(job_id)) and job.due:
            self._heard[job_id] = self._clock()
        else:
            self._heard.pop(job_id, None)

    async def _fold(self, entry: JobEntry, kept: dict[str, JobRow]) -> None:
        item = entry.item
        before = kept.get(item.job_id)
        if isinstance(item, JobProgress):
            if before:
                kept[item.job_id] = projection.tick(before, item)
            else:
                earlier = self._early.get(item.job_id)
                self._early[item.job_id] = earlier.followed_by(item) if earlier else item
        elif before is None or entry.offset > before.offset:  # else it is in there already
            after = await self._take(before, item, entry.offset)
            if after:
                kept[item.job_id] = after

    async def _take(self, before: JobRow | None, fact: OfJob, offset: int) -> JobRow | None:
        after = projection.take(before, fact, offset)
        if after is None:
            return None
        if isinstance(fact, JobStarted | JobFailed) and fact.worded and after.state.last_event == fact.event_id:
            after = projection.worded(after, await self._words(fact))
        early = self._early.pop(fact.job_id, None)
        return projection.tick(after, early) if early else after

    async def _words(self, fact: JobFact) -> Mapping[str, str]:
        try:
            found = await self._blobs.get_result(blob_names.words(fact.tenant, fact.key, fact.event_id))
        except (BlobMissing, BlobDamaged):
            return {}
        return {name: found[name] for name in _WORDS if name in found}

    async def _publish(self, rows: Mapping[str, Row]) -> None:
        if self._producer is None:
            return
        records = [
            (i, orjson.dumps(self._update(i, row)), [(topics.TENANT_HEADER, row["tenant"].encode())])
            for i, row in rows.items()
        ]
        await self._producer.send_all(topics.UPDATES, records)

    def _update(self, job_id: str, row: Row) -> Row:
        return {"job_id": job_id, "epoch": self._generation, "version": row["version"]}
