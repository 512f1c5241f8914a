"""Faults of single documents: pages that kill whoever reads them, blobs that are lost or damaged."""

from pathlib import Path

import pytest

from shared.events.document import StageCompleted, StageRequested
from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault
from tests.chaos.pictures import MEMORY, PLAIN, SEGFAULT, SPIN
from tests.chaos.rebuilding import rebuild
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    "wishes", [(SEGFAULT,), pytest.param((SEGFAULT, MEMORY, SPIN), marks=pytest.mark.soak)], ids=["one", "three"]
)
async def test_10_a_page_that_kills_its_recogniser_every_time(
    system: ChaosSystem, fault: Fault, wishes: tuple[int, ...]
) -> None:
    with fault(10, f"{len(wishes)} page(s) that crash, eat memory or spin every time"):
        document_id = await system.upload(pictures.scan(PLAIN, *wishes, PLAIN))
        beside = await system.upload(pictures.picture())
        view, _ = await system.completed(document_id, beside)
        bad = list(range(2, 2 + len(wishes)))
        assert view["partial"] is True
        assert view["pages"] == {"total": len(wishes) + 2, "done": 2, "failed": bad}
        assert view["stages"]["ocr"]["attempt"] == 3
        assert view["error"]["page"] in bad
        assert view["error"]["code"] in ("crashed", "timeout")
        asked = [fact for fact in await system.facts(document_id) if isinstance(fact, StageRequested)]
        assert [fact.attempt for fact in asked] == [2, 3]
        assert len((await system.get(f"{document_id}/chunks"))["chunks"]) > 0
        await system.check()


def blob_of(system: ChaosSystem, name: str) -> Path:
    """The file of a blob."""
    return system.folder / "blobs" / name


async def result_of(system: ChaosSystem, document_id: str, stage: str) -> str:
    """The name of what a stage concluded."""
    facts = [fact for fact in await system.facts(document_id) if isinstance(fact, StageCompleted)]
    return next(fact.result for fact in facts if fact.stage == stage)


@pytest.mark.parametrize("damage", ["missing", pytest.param("a flipped byte", marks=pytest.mark.soak)])
async def test_14_a_result_that_is_lost_is_told_by_a_rebuild_and_harms_nobody_else(
    system: ChaosSystem, fault: Fault, damage: str
) -> None:
    hurt, sound = [await system.upload(pictures.note(n), "note.txt") for n in (1, 2)]
    await system.completed(hurt, sound)
    blob = blob_of(system, await result_of(system, hurt, "chunk"))
    with fault(14, f"result blob: {damage}"):
        if damage == "missing":
            blob.unlink()
        else:
            blob.write_bytes(blob.read_bytes()[:-3] + bytes([blob.read_bytes()[-3] ^ 1]) + blob.read_bytes()[-2:])
        refused = await rebuild(system)
        assert not refused["swapped"]
        outcome = await rebuild(system, "force")
        assert {difference.split("/")[1] for difference in outcome["differences"]} == {hurt}
        await system.until_ready(but=outcome["replaced"])
        answer = await system.call("GET", f"/v1/documents/{hurt}/chunks")
        assert answer.json()["code"] == "result_missing"
        assert len((await system.get(f"{sound}/chunks"))["chunks"]) > 0
        await system.check()
        assert (await system.call("DELETE", f"/v1/documents/{hurt}")).status_code == 202
        await system.check()


async def test_14_a_plan_that_is_lost_before_the_whole_is_concluded_is_made_again(
    system: ChaosSystem, fault: Fault
) -> None:
    with fault(14, "plan blob lost before the whole is concluded"):
        with system.held():
            document_id = await system.upload(pictures.picture())
            await system.until_reading()
            blob = next(blob_of(system, f"default/{document_id}/ocr").glob("*/plan"))
            blob.write_bytes(blob.read_bytes()[:-3])
            beside = await system.upload(pictures.note(3), "note.txt")
        await system.completed(document_id, beside)
        await until(lambda: not system.at_work(), within=10)
        await system.check()
