"""The projections thrown away and built anew from the log: the same bytes, and nobody notices but by the epoch."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from services.progress.projection.snapshot_export import SnapshotExport
from shared.events.document import StageFailed
from shared.projecting.snapshots import Snapshots
from shared.storage.blobs import Blobs
from tests.support import pdfs
from tests.support.infrastructure import REPOSITORY
from tests.support.rebuild import rebuild
from tests.support.running_system import RunningSystem
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)

FOLDS = ("progress", "ocr", "chunker", "extractor")


@pytest.fixture(autouse=True)
async def services_run_afterwards(system: RunningSystem) -> AsyncIterator[None]:
    yield
    if not system.is_running:
        await asyncio.to_thread(system.begin)


@pytest.fixture(scope="module")
def at_rest() -> list[str]:
    """Documents of several ends: completed, failed, cancelled, completed in a second run; and one was erased."""
    return []


async def some_documents(system: RunningSystem, at_rest: list[str]) -> list[str]:
    """The documents that are at rest, made when they are first asked for."""
    if at_rest:
        return at_rest
    done, failed, cancelled, erased, again = [
        await system.upload(data)
        for data in (pdfs.born_digital(2), pdfs.broken(), pdfs.scan(3), pdfs.letter("Erna"), pdfs.scan(3))
    ]
    for document_id in (cancelled, again):
        assert (await system.call("POST", f"/v1/documents/{document_id}/cancel")).status_code == 202
        await system.until(document_id)
    assert (await system.call("POST", f"/v1/documents/{again}/retry")).status_code == 202
    for document_id in (done, failed, erased, again):
        await system.until(document_id, {"completed", "failed"})
    assert (await system.call("DELETE", f"/v1/documents/{erased}")).status_code == 202
    await until(lambda: is_erased(system, erased))
    at_rest += [done, failed, cancelled, again]
    return at_rest


async def is_erased(system: RunningSystem, document_id: str) -> bool:
    return "DocumentErased" in {fact.type for fact in await system.facts(document_id)}


async def settled_views(system: RunningSystem, ids: list[str]) -> list[dict[str, Any]]:
    """What people see of documents that are at rest, without the epoch."""
    return [{k: v for k, v in (await system.get(i)).items() if k != "epoch"} for i in ids]


async def test_dropped_while_running_it_comes_back_by_itself_with_the_same_bytes(
    system: RunningSystem, at_rest: list[str]
) -> None:
    ids = await some_documents(system, at_rest)
    before = await system.until_ready()
    digest, views = await system.digest(), await settled_views(system, ids)
    results = await system.results(ids[0])
    await system.drop_projections()
    after = await system.until_ready(but=before)
    assert after != before
    assert await system.digest() == digest
    assert await settled_views(system, ids) == views
    assert {(await system.get(i))["epoch"] for i in ids} == {after}
    assert await system.results(ids[0]) == results
    new = await system.upload(pdfs.born_digital(1))
    assert (await system.until(new))["status"] == "completed"  # coordinators and projector work on


async def test_dropped_where_there_is_a_snapshot_every_fold_begins_at_it(
    system: RunningSystem, at_rest: list[str]
) -> None:
    ids = await some_documents(system, at_rest)
    before = await system.until_ready()
    snapshots = Snapshots(Blobs.open(system.environment["PAGESTREAM_STORE"]))
    async with system.database() as database:
        await SnapshotExport(database, before, Blobs.open(system.environment["PAGESTREAM_STORE"]), 1).export_if_due()
    made = await snapshots.newest()
    assert made
    new = await system.upload(pdfs.letter("Berta"))
    await system.until(new)
    digest, views = await system.digest(), await settled_views(system, [*ids, new])

    async def all_began_at_it() -> bool:
        events = [line["event"] for service in FOLDS for line in system.log_of(service)]
        return events.count("a snapshot is taken up") == len(FOLDS)

    await system.drop_projections()
    await system.until_ready(but=before)
    await until(all_began_at_it)
    assert await system.digest() == digest
    assert await settled_views(system, [*ids, new]) == views
    assert (await system.call("POST", f"/v1/documents/{ids[1]}/retry")).status_code == 202
    assert (await system.until(ids[1]))["status"] == "failed"  # it came to the stage, which read it again

    quick, whole = await rebuild(system), await rebuild(system, "swap", "--from-zero")
    assert (quick["differences"], quick["snapshot"]) == ([], [made.facts])
    assert (whole["differences"], whole["snapshot"]) == ([], [])
    await snapshots.remove()


async def test_dropped_in_the_middle_of_a_document_the_document_is_completed(system: RunningSystem) -> None:
    before = await system.until_ready()
    document_id = await system.upload(pdfs.scan(5))
    await system.until_pages(document_id, 1)
    await system.drop_projections()
    await system.until_ready(but=before)
    view = await system.until(document_id)
    assert (view["status"], view["pages"]["done"]) == ("completed", 5)
    assert await system.slices_done(document_id) == dict.fromkeys(range(5), 1)
    assert not [fact for fact in await system.facts(document_id) if isinstance(fact, StageFailed)]


async def test_dropped_while_everything_stands_still_a_rebuild_brings_it_back(
    system: RunningSystem, at_rest: list[str]
) -> None:
    ids = await some_documents(system, at_rest)
    before = await system.until_ready()
    digest, views = await system.digest(), await settled_views(system, ids)
    await asyncio.to_thread(system.end)
    await system.drop_projections()
    outcome = await rebuild(system)
    assert outcome["replaced"] is None
    assert await system.digest() == digest
    await system.start()
    assert await system.until_ready() == outcome["generation"] != before  # it was not begun anew once more
    assert await settled_views(system, ids) == views
    new = await system.upload(pdfs.letter("Anna"))
    assert (await system.until(new))["status"] == "completed"


async def test_rebuilt_beside_the_live_one_nothing_differs_and_the_live_one_hands_over(
    system: RunningSystem, at_rest: list[str]
) -> None:
    ids = await some_documents(system, at_rest)
    before = await system.until_ready()
    digest, views = await system.digest(), await settled_views(system, ids)
    outcome = await rebuild(system)
    assert (outcome["replaced"], outcome["differences"]) == (before, [])
    assert outcome["digest"] == outcome["digest_before"]
    assert await system.until_ready(but=before) == outcome["generation"]
    assert await system.digest() == digest
    assert await settled_views(system, ids) == views


async def error_of_job(system: RunningSystem, job_id: str) -> str | None:
    job = (await system.call("GET", f"/v1/jobs/{job_id}")).json()
    return job["error"]["code"] if job["status"] == "failed" else None


async def test_one_that_differs_leaves_readers_where_they_are_unless_it_is_forced(system: RunningSystem) -> None:
    before = await system.until_ready()
    document_id = await system.upload(pdfs.letter("Dora"))
    await system.until(document_id)
    stray = f"{document_id}/stray"
    async with system.database() as database:
        row = {"_id": stray, "document_id": document_id, "tenant": "default", "index": 99, "text": "of no log"}
        await database.projection("chunks", before).insert_one(row)
    refused = await rebuild(system)
    assert (refused["swapped"], refused["kept"], refused["differences"]) == (False, True, [f"chunks/{stray}"])
    assert await system.until_ready() == before
    assert await until(lambda: error_of_job(system, refused["job_id"])) == "rebuild_differs"
    new = await system.upload(pdfs.letter("Emil"))
    assert (await system.until(new))["epoch"] == before
    forced = await rebuild(system, "force")
    assert (forced["swapped"], forced["differences"]) == (True, [f"chunks/{stray}"])
    assert await system.until_ready(but=before) == forced["generation"] == refused["generation"]
    assert (await system.until(new))["status"] == "completed"


async def test_rebuilt_under_traffic_nothing_differs_and_nobody_sees_less(system: RunningSystem) -> None:
    before = await system.until_ready()
    ids = [await system.upload(pdfs.scan(3)), await system.upload(pdfs.born_digital(4))]
    seen: list[tuple[str, int, str]] = []
    watching = asyncio.create_task(watch(system, ids[0], seen))
    await system.until_pages(ids[0], 1)
    building = asyncio.create_task(rebuild(system))
    while not building.done():
        ids.append(await system.upload(pdfs.letter(f"reader {len(ids)}")))
        await asyncio.wait([building], timeout=0.3)
    outcome = await building
    assert outcome["differences"] == []
    assert outcome["digest"] == outcome["digest_before"]
    await system.until_ready(but=before)
    for document_id in ids:
        assert (await system.until(document_id))["status"] == "completed"
    await watching
    epochs = [epoch for epoch, _, _ in seen]
    assert sorted(set(epochs), key=epochs.index) == [before, outcome["generation"]]  # and never back
    for epoch in set(epochs):
        versions = [version for one, version, _ in seen if one == epoch]
        assert versions == sorted(versions)
    assert seen[-1][2] == "completed"


async def watch(system: RunningSystem, document_id: str, seen: list[tuple[str, int, str]]) -> None:
    """Note each state that a reader is shown, until the document is completed and another epoch has come."""
    async with httpx.AsyncClient(base_url=system.url, trust_env=False, timeout=30) as http:
        while not seen or seen[-1][2] != "completed" or seen[-1][0] == seen[0][0]:
            answer = await http.get(f"/v1/documents/{document_id}")
            assert answer.status_code == 200, answer.text
            view = answer.json()
            state = (view["epoch"], view["version"], view["status"])
            if not seen or seen[-1] != state:
                seen.append(state)


async def test_a_rebuild_is_a_job_that_can_be_watched(system: RunningSystem) -> None:
    """The command `watch` sees it through, over the change of epochs that it brings about."""
    before = await system.until_ready()
    outcome = await rebuild(system)
    job_id = outcome["job_id"]
    watching = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "watch", job_id, "--json", "--url", system.url, cwd=REPOSITORY, stdout=-1
    )
    async with asyncio.timeout(60):
        output, _ = await watching.communicate()
    assert watching.returncode == 0
    last = orjson.loads(output.splitlines()[-1])
    assert (last["job_id"], last["document"]["type"], last["document"]["status"]) == (job_id, "rebuild", "completed")
    assert last["epoch"] == outcome["generation"] != before


async def test_two_rebuilds_leave_two_generations_and_no_more(system: RunningSystem) -> None:
    first = await rebuild(system)
    second = await rebuild(system)
    assert second["replaced"] == first["generation"]
    async with system.database() as database:
        kept = {row["_id"] async for row in database.generations.find({"_id": {"$ne": "live"}})}
        names = await database.projections.list_collection_names()
    assert kept == {first["generation"], second["generation"]}
    assert {name.partition("_")[2] for name in names if name.startswith("timeline_")} == kept


async def test_a_rebuild_that_is_killed_changes_nothing(system: RunningSystem) -> None:
    before = await system.until_ready()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.progress.rebuild",
        env={**os.environ, **system.environment}, cwd=REPOSITORY, stdout=-1,
    )  # fmt: skip
    assert process.stdout
    assert b'"replay"' in await process.stdout.readline()
    process.kill()
    await process.communicate()
    document_id = await system.upload(pdfs.letter("Clara"))
    assert (await system.until(document_id))["status"] == "completed"
    assert await system.until_ready() == before
