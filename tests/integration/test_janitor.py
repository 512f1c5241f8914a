"""The janitor on a real store and database: what nobody needs goes, what somebody may need stays."""

import itertools
import os
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.progress.deciders import janitor as module
from services.progress.deciders.janitor import KEEP, Janitor
from shared.events.document import DocumentUploaded, utcnow
from shared.events.pipeline import PIPELINE
from shared.runtime import failpoints
from shared.runtime.settings import SharedSettings
from shared.storage import blob_names
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo
from shared.storage.partial_uploads import Part, PartialUpload, PartialUploads
from shared.storage.upload_claims import Claims

OLD = KEEP + timedelta(minutes=1)


class House:
    """What there is to tidy."""

    def __init__(self, database: Mongo, settings: SharedSettings) -> None:
        self.database = database
        self.blobs = Blobs.open(settings.store)
        self.root = Path(settings.store.removeprefix("file://"))
        self.partial = PartialUploads(database)
        self.documents = database.projection("documents", "g1")

    async def clean(self) -> None:
        await Janitor(self.database, "g1", self.blobs).clean()

    async def store(self, *, age: timedelta = OLD, erased: bool | None = None, name: str = "source") -> str:
        """A document with one blob; known to the log unless `erased` is None."""
        document_id = str(uuid.uuid4())
        await self.blobs.put(f"t/{document_id}/{name}", b"x")
        self.made_older(document_id, age)
        if erased is not None:
            await self.documents.insert_one({"_id": document_id, "settled": {"erased": erased}})
        return document_id

    async def claimed(self, *, by_key: bool = False) -> DocumentUploaded:
        """An upload that was cut short between its claims and its fact, long ago."""
        fact = uploaded(await self.store(), at=-OLD)
        claims = Claims(self.database)
        await claims.claim_content(fact.document_id, fact, force=False)
        if by_key:
            await claims.claim_key(fact.document_id, "digest", fact)
            await self.database.control["idempotency_keys"].update_many({}, {"$set": {"at": fact.at}})
        return fact

    async def forget_orphans(self) -> None:
        """As if nothing had been uploaded that the log does not know."""
        known = {row["_id"] async for row in self.documents.find({}, {"_id": 1})}
        for document_id in self.stored() - known:
            await self.blobs.delete_document("t", document_id)
        for name in ("uploads", "idempotency_keys"):
            await self.database.control[name].delete_many({})

    def made_older(self, document_id: str, age: timedelta) -> None:
        at = (utcnow() - age).timestamp()
        folder = self.root / "t" / document_id
        for path in (*folder.iterdir(), folder):
            os.utime(path, (at, at))

    async def resumable(self, *, expired: bool, result: tuple[str, bool] | None = None) -> str:
        document_id = await self.store(name="part-0-a")
        expires_at = utcnow() + (-OLD if expired else OLD)
        await self.partial.create(PartialUpload(document_id, "t", 5, "", expires_at, result))
        assert await self.partial.add(document_id, Part(0, 1, blob_names.part("t", document_id, 0, "a")))
        return document_id

    def stored(self) -> set[str]:
        return {folder.name for folder in (self.root / "t").iterdir()}


def uploaded(document_id: str, at: timedelta = timedelta()) -> DocumentUploaded:
    about = {"tenant": "t", "pipeline": tuple(PIPELINE), "size": 1, "media_type": "text/plain", "producer": "gateway"}
    return DocumentUploaded.claim(document_id=document_id, claim="1", at=utcnow() + at, **about)


class Interrupted:
    """A collection before whose calls something else happens, too."""

    def __init__(self, rows: Any, before: Callable[[], Awaitable[None]]) -> None:
        self._rows = rows
        self._before = before

    def find(self, *query: Any) -> Any:
        return self._rows.find(*query)

    async def find_one(self, *query: Any) -> Any:
        await self._before()
        return await self._rows.find_one(*query)

    async def delete_many(self, query: Any) -> Any:
        await self._before()
        return await self._rows.delete_many(query)


@pytest.fixture
async def house(database: Mongo, settings: SharedSettings) -> House:
    return House(database, settings)


async def rows(house: House, collection: str, **query: Any) -> int:
    return await house.database.control[collection].count_documents(query)


async def test_blobs_without_an_event_go_after_a_day_with_their_claims(house: House) -> None:
    old, new, known = await house.store(), await house.store(age=timedelta(hours=23)), await house.store(erased=False)
    for document_id in (old, known):
        claim = {"_id": f"t/{document_id}", "document_id": document_id, "at": utcnow() - OLD}
        await house.database.control["uploads"].insert_one(claim)
    await house.clean()
    assert house.stored() == {new, known}
    assert (await rows(house, "uploads", document_id=old), await rows(house, "uploads", document_id=known)) == (0, 1)


async def test_what_a_killed_gateway_was_writing_goes_too(house: House) -> None:
    known = await house.store(erased=False)
    left = house.root / "t" / str(uuid.uuid4())
    left.mkdir()
    (left / "source#1").write_bytes(b"half")  # as the store's library names what is not finished
    await house.clean()
    assert house.stored() == {known, left.name}
    house.made_older(left.name, OLD)
    await house.clean()
    assert house.stored() == {known}


async def test_what_a_zombie_wrote_for_an_erased_document_goes_at_once(house: House) -> None:
    await house.store(erased=True, age=timedelta())
    kept = await house.store(erased=False, age=timedelta())
    await house.clean()
    assert house.stored() == {kept}


async def test_the_words_of_standalone_jobs_stay(house: House) -> None:
    job_id = f"job-{uuid.uuid4()}"
    await house.blobs.put(blob_names.words("t", job_id, str(uuid.uuid4())), b"x")
    house.made_older(job_id, OLD)
    await house.clean()
    assert house.stored() == {job_id}


async def test_uploads_that_do_not_move_are_removed_and_others_stay(house: House) -> None:
    known = await house.store(erased=False)
    expired, moving = await house.resumable(expired=True), await house.resumable(expired=False)
    await house.clean()
    assert house.stored() == {known, moving}
    assert await house.partial.among([expired, moving]) == {moving}
    assert (await rows(house, "upload_parts", document_id=expired), await house.partial.end(moving)) == (0, 1)


async def test_an_expired_upload_whose_fact_is_in_the_log_loses_its_parts_only(house: House) -> None:
    document_id = await house.resumable(expired=True)
    await house.blobs.put(blob_names.source("t", document_id), b"x")
    await house.documents.insert_one({"_id": document_id, "settled": {"erased": False}})
    await house.clean()
    assert {path.name for path in (house.root / "t" / document_id).iterdir()} == {"source"}
    assert await house.partial.among([document_id]) == set()


async def test_idempotency_keys_are_kept_for_a_day(house: House) -> None:
    keys = house.database.control["idempotency_keys"]
    await keys.insert_many([{"_id": "old", "at": utcnow() - OLD}, {"_id": "new", "at": utcnow()}])
    await house.clean()
    assert [row["_id"] async for row in keys.find()] == ["new"]


@pytest.mark.parametrize("count", [3, 250])
async def test_a_store_that_holds_much_that_the_log_does_not_know_is_another_installations(
    house: House, count: int
) -> None:
    foreign = {await house.store() for _ in range(21)}  # as many as a log of 250 has in one of its twelve partitions
    known = {await house.store(erased=False) for _ in range(count)}
    await house.clean()
    assert house.stored() == foreign | known


@pytest.mark.parametrize("by_key", [False, True])
async def test_whoever_finds_a_claim_while_its_blobs_are_removed_finds_the_blobs_or_no_claim(
    house: House, by_key: bool
) -> None:
    """At each moment of the janitor's round somebody uploads the bytes again, as a gateway does."""
    await house.store(erased=False)
    claims = Claims(house.database)
    for moment in itertools.count():
        await house.forget_orphans()  # of the moments before: the janitor would come to them, too
        fact, calls, winners = await house.claimed(by_key=by_key), itertools.count(), list[DocumentUploaded]()

        async def upload(now: int = moment) -> None:
            if next(calls) != now:  # noqa: B023 — it is called within its turn
                return
            own = uploaded(await house.store(age=timedelta()))
            first = (await claims.claim_key(fact.document_id, "digest", own)).fact if by_key else own  # noqa: B023
            winners.append(await claims.claim_content(fact.document_id, first, force=False))  # noqa: B023

        janitor = Janitor(house.database, "g1", house.blobs)
        for rows in ("_uploads", "_keys"):
            setattr(janitor._claims, rows, Interrupted(getattr(janitor._claims, rows), upload))
        await janitor.clean()
        if not winners:
            break
        assert await house.blobs.exists(f"t/{winners[0].document_id}/source"), f"at moment {moment}"
    assert moment >= 4
    assert fact.document_id not in house.stored()  # nobody came


async def test_a_projection_that_is_dropped_under_the_janitor_condemns_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [await house.store(erased=False), await house.store(erased=False)]
    left = await house.store()
    waiting = await house.resumable(expired=True)
    documents = Janitor._known

    async def dropped(janitor: Janitor, ids: Any) -> Any:
        await house.documents.drop()
        return await documents(janitor, ids)

    monkeypatch.setattr(Janitor, "_known", dropped)
    await house.clean()
    assert house.stored() == {*known, left, waiting}
    monkeypatch.undo()
    await house.clean()  # before the new generation knows anything
    assert house.stored() == {*known, left, waiting}


@pytest.mark.parametrize("where", ["janitor.look", "janitor.remove", "janitor.expire"])
async def test_one_document_that_raises_does_not_stop_the_round(
    house: House, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    known = await house.store(erased=False)
    if where == "janitor.expire":
        odd, other = await house.resumable(expired=True), await house.resumable(expired=True)
    else:
        odd, other = sorted([await house.store(), await house.store()])
    monkeypatch.setattr(failpoints, "_RAISE", where)
    monkeypatch.setattr(failpoints, "_DOCUMENT", odd)
    await house.clean()
    assert house.stored() == {known, odd}
    assert other not in house.stored()


async def test_an_upload_that_a_request_is_about_to_end_is_left_to_it(house: House) -> None:
    await house.store(erased=False)
    expired = await house.resumable(expired=True)
    right = house.partial.right(expired)
    assert await right.acquire()
    await house.clean()
    assert expired in house.stored()
    await right.release()
    await house.clean()
    assert expired not in house.stored()


async def test_a_round_holds_no_more_than_it_may_remove(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_REMOVED", 3)
    known = await house.store(erased=False)
    for _ in range(8):
        await house.store()
    await house.clean()
    assert len(house.stored()) == 1 + 5
    for _ in range(2):
        await house.clean()
    assert house.stored() == {known}


async def test_rows_that_a_projector_wrote_late_about_an_erased_document_go(house: House) -> None:
    gone, there = await house.store(erased=True), await house.store(erased=False)
    for name in ("timeline", "processing_jobs", "chunks"):
        rows = house.database.projection(name, "g1")
        await rows.insert_many([{"_id": f"{i}/late", "document_id": i} for i in (gone, there)])
    await house.database.projection("extractions", "g1").insert_many([{"_id": gone}, {"_id": there}])

    await house.clean()

    for name in ("timeline", "processing_jobs", "chunks", "extractions"):
        left = {row["_id"].partition("/")[0] async for row in house.database.projection(name, "g1").find({})}
        assert left == {there}, name
