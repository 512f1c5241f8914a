"""The projector: folds the log and the ticks into the collections, and tells the gateways what changed.

In this order, so that a crash between any two steps is healed by reading the batch again: write the rows, publish the
updates, store the checkpoint (which the loop does). A rebuild has no log to publish to.
"""

import asyncio
from collections.abc import Collection, Mapping, Set
from functools import partial

import orjson

from services.progress import projection, timeline
from services.progress.erasing import erase
from services.progress.job_projection import JobProjection
from services.progress.job_projector import JobProjector
from services.progress.projection import Projection
from shared import blobs as names
from shared import given, mongo, topics
from shared.blobs import Blobs
from shared.document import TERMINAL, DocumentState
from shared.failpoints import reach
from shared.folding import Batch, Write
from shared.given import NOTHING, Given
from shared.kafka import Log
from shared.mongo import Mongo, Row
from shared.states import States

_GONE = ("DocumentDeleted", "DocumentErased")


class Projector:
    """Keeps one generation. `changed` collects the documents that somebody else should look at."""

    def __init__(self, database: Mongo, generation: str, blobs: Blobs, sink: Log | None) -> None:
        self.generation = generation
        self._database = database
        self.jobs = JobProjector(database, generation, blobs, sink)
        self.changed: set[str] = set()
        self.unreadable = 0
        self._blobs = blobs
        self._log = sink
        self._states: States[Projection] = States(database.projection("documents", generation), projection.from_row)
        self.documents = database.projection("documents", generation)
        self._stage_jobs = database.projection("processing_jobs", generation)
        self._timeline = database.projection("timeline", generation)

    async def states(self, ids: Collection[str]) -> dict[str, DocumentState]:
        """The settled states of `ids`, those that exist."""
        return {i: kept.state for i, kept in (await self._states.load(ids)).items()}

    async def unfinished(self) -> list[str]:
        """The documents that have not come to an end."""
        query = {"view.status": {"$nin": sorted(TERMINAL)}, "settled.erased": False}
        return [row["_id"] async for row in self.documents.find(query, {"_id": 1})]

    async def apply(self, batch: Batch) -> Write:
        """Fold a batch; the result writes what changed and publishes it, also where the batch is read again."""
        jobs = await self.jobs.fold(batch.jobs)
        touched = {entry.fact.document_id for entry in batch.facts} | {tick.document_id for tick in batch.ticks}
        kept = await self._states.load(touched)
        known = frozenset(kept)
        told = self._fold(batch, kept)
        await self._name(batch, kept)
        shown = {i: projection.settle(kept[i]) for i in touched & kept.keys()}
        self._states.keep(shown)
        return partial(self._write, batch, told, shown, shown.keys() - known, jobs)

    async def _write(
        self,
        batch: Batch,
        told: list[Row],
        shown: Mapping[str, Projection],
        new: Set[str],
        standalone: Mapping[str, JobProjection],
    ) -> None:
        await self.jobs.write(standalone)
        rows = {i: projection.to_row(found, self.generation) for i, found in shown.items()}
        jobs = [row for i, found in shown.items() for row in projection.job_rows(found, rows[i])]
        begun = {i for i, row in jobs if row["document_id"] in new}
        await asyncio.gather(mongo.add(self._timeline, told), mongo.advance(self._stage_jobs, jobs, begun))
        # The states last: what is in them is not folded again.
        await self._states.store(shown, rows, new)
        if self._log is None:  # the live projection erases beside its loop
            gone = [entry.fact.document_id for entry in batch.facts if entry.fact.type in _GONE]  # again when erased
            await erase(self._database, self.generation, gone)
        reach("progress.written")
        self.changed |= shown.keys()
        self.unreadable += len(batch.unreadable)
        await self._publish(rows)

    def _fold(self, batch: Batch, kept: dict[str, Projection]) -> list[Row]:
        rows: dict[str, Row] = {}
        for entry in batch.facts:
            fact = entry.fact
            before = kept.get(fact.document_id)
            if before and entry.offset <= before.offset:
                continue  # it is in there already
            after = projection.take(before, fact, entry.offset)
            if after:
                kept[fact.document_id] = after
                if after.state.status != "deleted":
                    row = timeline.row(after.state, fact, entry.offset)
                    rows.setdefault(row["_id"], row)  # a fact that was said again stands where it was said first
        for progress in batch.ticks:
            if before := kept.get(progress.document_id):
                kept[progress.document_id] = projection.tick(before, progress)
        return list(rows.values())

    async def _name(self, batch: Batch, kept: dict[str, Projection]) -> None:
        """Give new documents their names, batches and tags, which the log does not hold."""
        uploaded = {entry.fact.document_id for entry in batch.facts if entry.fact.type == "DocumentUploaded"}
        nameless = [kept[document_id] for document_id in uploaded if not kept[document_id].given.filename]
        stored = await self._blobs.get_results(
            [names.meta(found.state.tenant, found.state.document_id) for found in nameless]
        )
        for found, meta in zip(nameless, stored, strict=True):
            # None: erased, or lost with the document's source; its stages will say so.
            kept[found.state.document_id] = projection.named(found, Given.of(meta) if meta else NOTHING)

    async def _publish(self, rows: Mapping[str, Row]) -> None:
        if self._log is None:
            return
        records = [
            (i, self._update(i, row), [(topics.TENANT_HEADER, row["tenant"].encode())]) for i, row in rows.items()
        ]
        await self._log.send_all(topics.UPDATES, records)
        reach("progress.published")

    def _update(self, document_id: str, row: Row) -> bytes:
        """What a gateway is told: the whole view without user content, or that the document is gone."""
        update = {"document_id": document_id, "epoch": self.generation, "version": row["version"]}
        if row["deleted"]:
            return orjson.dumps(update | {"deleted": True})
        return orjson.dumps(update | {"document": given.without(row["view"])})


async def announce_epoch(log: Log, generation: str) -> None:
    """Tell every gateway that another generation is live: they read their documents anew."""
    await log.send(topics.UPDATES, orjson.dumps({"epoch": generation}), key="epoch")
