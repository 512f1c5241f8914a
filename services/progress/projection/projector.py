"""The projector: folds the log and the ticks into the collections, and tells the gateways what changed.

In this order, so that a crash between any two steps is healed by reading the batch again: write the rows, publish the
updates, store the checkpoint (which the loop does). A rebuild has no log to publish to.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence, Set
from functools import partial
from typing import Any

import orjson

from services.progress.projection import document_row, timeline
from services.progress.projection.document_row import DocumentRow
from services.progress.projection.eraser import erase
from services.progress.projection.job_projector import JobProjector
from services.progress.projection.job_row import JobRow
from services.progress.projection.stored_results import has_new_results
from services.progress.projection.tenant_totals import TenantTotals
from shared.document import upload_info
from shared.document.state import DocumentState
from shared.document.totals import difference
from shared.document.upload_info import NOTHING, UploadInfo
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.projecting.batch import Batch, Entry
from shared.projecting.fences import fenced, note, put_all
from shared.projecting.loop import Write
from shared.projecting.state_store import StateStore
from shared.runtime.failpoints import provoke, reach
from shared.storage import blob_names, mongo
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo, Row


class Projector:
    """Keeps one generation, and collects what the deciders should look at.

    `changed`: documents that have not come to an end; `ended`: those that have. `unloaded`: whether any of these has
    results that are not stored.
    """

    def __init__(
        self,
        database: Mongo,
        generation: str,
        blobs: Blobs,
        producer: Producer | None,
        totals: TenantTotals | None = None,
    ) -> None:
        self.generation = generation
        self._totals = totals
        self._database = database
        self.jobs = JobProjector(database, generation, blobs, producer)
        self.changed: set[str] = set()
        self.ended: set[str] = set()
        self.unloaded = False
        self.unreadable = 0
        # A live projection erases what was deleted beside its loop, and here only what a replay wrote of it once more.
        self._erased_on = ("DocumentErased",) if producer else ("DocumentDeleted", "DocumentErased")
        self.set_aside = 0  # times that one document's data raised
        self._blobs = blobs
        self._producer = producer
        self._states: StateStore[DocumentRow] = StateStore(
            database.projection("documents", generation), document_row.from_row
        )
        self.documents = database.projection("documents", generation)
        self._stage_jobs = database.projection("processing_jobs", generation)
        self._timeline = database.projection("timeline", generation)

    async def states(self, ids: Collection[str]) -> dict[str, DocumentState]:
        """The settled states of `ids`, those that exist."""
        return {i: kept.state for i, kept in (await self._states.load(ids)).items()}

    async def unfinished(self) -> list[str]:
        """The documents that have not come to an end."""
        return [row["_id"] async for row in self.documents.find({"unfinished": True}, {"_id": 1})]

    async def apply(self, batch: Batch) -> Write:
        """Fold a batch; the result writes what changed and publishes it, also where the batch is read again."""
        jobs = await self.jobs.fold(batch.jobs)
        touched = {entry.fact.document_id for entry in batch.facts} | {tick.document_id for tick in batch.ticks}
        kept = await self._states.load(touched)
        known = dict(kept)
        timelines = self._fold(batch, kept)
        uploaded = {entry.fact.document_id for entry in batch.facts if entry.fact.type == "DocumentUploaded"}
        await self._name(uploaded, kept)
        shown = {i: self._settled(kept[i]) for i in touched & kept.keys()}
        self._states.keep(shown)
        return partial(self._write, batch, timelines, known, shown, jobs)

    async def take_up(self, rows: Sequence[Row]) -> None:
        """Write documents as a snapshot has them, into a generation that no fold has begun.

        Raises what is wrong with any of them: none may be missing when the fold goes on behind the snapshot.
        """
        kept = {row["_id"]: document_row.of_snapshot(row) for row in rows}
        await self._name({i for i, found in kept.items() if found.state.status != "deleted"}, kept)
        shown = {i: document_row.settle(found) for i, found in kept.items()}
        self._states.keep(shown)
        await self._put({i: self._row(None, found) for i, found in shown.items()}, {}, shown, shown.keys())

    async def _write(
        self,
        batch: Batch,
        timelines: Mapping[str, list[Row]],
        known: Mapping[str, DocumentRow],
        shown: Mapping[str, DocumentRow],
        standalone: Mapping[str, JobRow],
    ) -> None:
        await self.jobs.write(standalone)
        rows = self._rows(known, shown)
        new = shown.keys() - known.keys()
        if self._totals:
            before = ((row, document_row.count(known.get(i))) for i, row in rows.items())
            changes = [(row["tenant"], difference(counts, row["counted"])) for row, counts in before]
            self._totals.add(batch.positions, changes)

        async def put(ids: Sequence[str]) -> None:
            await self._put({i: rows[i] for i in ids}, timelines, shown, new)

        for i in await put_all("progress.write", list(rows), put, str):
            self.set_aside += 1
            del rows[i]  # nor is it published
        gone = [entry.fact.document_id for entry in batch.facts if entry.fact.type in self._erased_on]
        await erase(self._database, self.generation, gone)
        reach("progress.written")
        self._note_changed(rows)
        self.unreadable += len(batch.unreadable)
        await self._publish(rows)

    def _note_changed(self, rows: Mapping[str, Row]) -> None:
        """After a replay nearly all have ended: who waits for one of the others waits for none of them."""
        ended = {i for i, row in rows.items() if not row["unfinished"]}
        self.changed |= rows.keys() - ended
        self.ended |= ended
        self.unloaded |= any(rows[i].get("unloaded") for i in ended)

    async def _put(
        self,
        rows: Mapping[str, Row],
        timelines: Mapping[str, list[Row]],
        shown: Mapping[str, DocumentRow],
        new: Set[str],
    ) -> None:
        """Write the rows of some documents and their timeline lines."""
        for i in rows:
            provoke("progress.write", i)
        jobs = [row for i in rows for row in document_row.stage_rows(shown[i], rows[i])]
        begun = {i for i, row in jobs if row["document_id"] in new}
        lines = [line for i in rows for line in timelines.get(i, ())]
        totals = [self._totals.store()] if self._totals else []
        await asyncio.gather(*totals, mongo.add(self._timeline, lines), mongo.advance(self._stage_jobs, jobs, begun))
        # The states last: what is in them is not folded again.
        await self._states.store({i: shown[i] for i in rows}, rows, new)

    def _rows(self, known: Mapping[str, DocumentRow], shown: Mapping[str, DocumentRow]) -> dict[str, Row]:
        """The documents' rows; one that cannot be shown keeps the row that it has."""
        rows = {}
        for i, found in shown.items():
            before = known.get(i)
            try:
                provoke("progress.render", i)
                rows[i] = self._row(before, found)
            except Exception as error:
                self._aside("progress.render", i, error)
        return rows

    def _row(self, before: DocumentRow | None, found: DocumentRow) -> Row:
        row = document_row.to_row(found, self.generation)
        if has_new_results(before.state if before else None, found.state):
            row["unloaded"] = True
        return row

    def _settled(self, found: DocumentRow) -> DocumentRow:
        try:
            return document_row.settle(found)
        except Exception as error:
            self._aside("progress.settle", found.state.document_id, error)
            return found

    def _aside(self, where: str, document_id: str, error: Exception) -> None:
        self.set_aside += 1
        note(where, document_id, error)

    def _fold(self, batch: Batch, kept: dict[str, DocumentRow]) -> dict[str, list[Row]]:
        """Fold the batch into `kept`; the new rows of the timeline, by document.

        A fact or tick that raises changes nothing, here and in every rebuild alike; the others of the document go on.
        """
        rows: dict[str, dict[str, Row]] = {}
        for entry in batch.facts:
            try:
                self._take(entry, kept, rows)
            except Exception as error:
                self._aside("progress.fold", entry.fact.document_id, error)
        for progress in batch.ticks:
            if before := kept.get(progress.document_id):
                try:
                    kept[progress.document_id] = document_row.tick(before, progress)
                except Exception as error:
                    self._aside("progress.tick", progress.document_id, error)
        return {i: list(found.values()) for i, found in rows.items()}

    def _take(self, entry: Entry, kept: dict[str, DocumentRow], rows: dict[str, dict[str, Row]]) -> None:
        fact = entry.fact
        provoke("progress.fold", fact.document_id)
        before = kept.get(fact.document_id)
        if before and entry.offset <= before.offset:
            return  # it is in there already
        after = document_row.take(before, fact, entry.offset)
        if after is None:
            return
        if after.state.status != "deleted":
            row = timeline.row(after.state, fact, entry.offset)
            # a fact that was said again stands where it was said first
            rows.setdefault(fact.document_id, {}).setdefault(row["_id"], row)
        kept[fact.document_id] = after

    async def _name(self, uploaded: Set[str], kept: dict[str, DocumentRow]) -> None:
        """Give new documents their names, batches and tags, which the log does not hold."""
        nameless = [kept[i] for i in uploaded if i in kept and not kept[i].info.filename]
        stored = await self._blobs.get_results(
            [blob_names.meta(found.state.tenant, found.state.document_id) for found in nameless]
        )
        for found, meta in zip(nameless, stored, strict=True):
            # None: erased, or lost with the document's source; its stages will say so.
            kept[found.state.document_id] = document_row.named(found, _upload_info(found.state.document_id, meta))

    async def _publish(self, rows: Mapping[str, Row]) -> None:
        if self._producer is None:
            return
        records = []
        for i, row in rows.items():
            try:
                records.append((i, self._update(i, row), _headers(row)))
            except Exception as error:
                self._aside("progress.publish", i, error)
        await self._producer.send_all(topics.UPDATES, records)
        reach("progress.published")

    def _update(self, document_id: str, row: Row) -> bytes:
        """The change for the gateways: the whole view without user content, or that the document is gone."""
        update = {"document_id": document_id, "epoch": self.generation, "version": row["version"]}
        if row["deleted"]:
            return orjson.dumps(update | {"deleted": True})
        return orjson.dumps(update | {"document": upload_info.without(row["view"])})


async def announce_epoch(producer: Producer, generation: str) -> None:
    """Tell every gateway that another generation is live: they read their documents anew."""
    await producer.send(topics.UPDATES, orjson.dumps({"epoch": generation}), key="epoch")


def _headers(row: Row) -> list[tuple[str, bytes]]:
    tenant = (topics.TENANT_HEADER, row["tenant"].encode())
    return [tenant] if row["unfinished"] and not row["deleted"] else [tenant, (topics.ENDED_HEADER, b"")]


def _upload_info(document_id: str, meta: Any) -> UploadInfo:
    with fenced("progress.name", document_id):
        return UploadInfo.of(meta) if meta else NOTHING
    return NOTHING
