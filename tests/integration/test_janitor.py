"""The janitor on a real store and database: what nobody needs goes, what somebody may need stays."""

import os
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.progress.janitor import KEEP, Janitor
from shared import blobs as names
from shared.blobs import Blobs
from shared.events import utcnow
from shared.mongo import Mongo
from shared.partial_uploads import Part, PartialUpload, PartialUploads
from shared.settings import SharedSettings

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
        await Janitor(self.database, self.documents, self.blobs).clean()

    async def store(self, *, age: timedelta = OLD, erased: bool | None = None, name: str = "source") -> str:
        """A document with one blob; known to the log unless `erased` is None."""
        document_id = str(uuid.uuid4())
        await self.blobs.put(f"t/{document_id}/{name}", b"x")
        self.made_older(document_id, age)
        if erased is not None:
            await self.documents.insert_one({"_id": document_id, "settled": {"erased": erased}})
        return document_id

    def made_older(self, document_id: str, age: timedelta) -> None:
        at = (utcnow() - age).timestamp()
        folder = self.root / "t" / document_id
        for path in (*folder.iterdir(), folder):
            os.utime(path, (at, at))

    async def resumable(self, *, expired: bool, result: tuple[str, bool] | None = None) -> str:
        document_id = await self.store(name="part-0-a")
        expires_at = utcnow() + (-OLD if expired else OLD)
        await self.partial.create(PartialUpload(document_id, "t", 5, "", expires_at, result))
        assert await self.partial.add(document_id, Part(0, 1, names.part("t", document_id, 0, "a")))
        return document_id

    def stored(self) -> set[str]:
        return {folder.name for folder in (self.root / "t").iterdir()}


@pytest.fixture
async def house(database: Mongo, settings: SharedSettings) -> House:
    return House(database, settings)


async def rows(house: House, collection: str, **query: Any) -> int:
    return await house.database.control[collection].count_documents(query)


async def test_blobs_without_an_event_go_after_a_day_with_their_claims(house: House) -> None:
    old, new, known = await house.store(), await house.store(age=timedelta(hours=23)), await house.store(erased=False)
    for document_id in (old, known):
        await house.database.control["uploads"].insert_one({"_id": f"t/{document_id}", "document_id": document_id})
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
    await house.blobs.put(names.words("t", job_id, str(uuid.uuid4())), b"x")
    house.made_older(job_id, OLD)
    await house.clean()
    assert house.stored() == {job_id}


async def test_uploads_that_do_not_move_are_removed_and_others_stay(house: House) -> None:
    expired, moving = await house.resumable(expired=True), await house.resumable(expired=False)
    await house.clean()
    assert house.stored() == {moving}
    assert await house.partial.among([expired, moving]) == {moving}
    assert (await rows(house, "upload_parts", document_id=expired), await house.partial.end(moving)) == (0, 1)


async def test_an_expired_upload_whose_fact_is_in_the_log_loses_its_parts_only(house: House) -> None:
    document_id = await house.resumable(expired=True)
    await house.blobs.put(names.source("t", document_id), b"x")
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
