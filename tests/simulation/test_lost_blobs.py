"""What was stored and is lost since is computed again by whoever needs it next."""

import pytest

from services.progress.projection.stored_results import StoredResults
from shared.events.document import CONCLUDE, PLAN, SliceCompleted, StageCompleted, StagePlanned
from shared.harness.contract import Document
from shared.harness.settings import StageSettings
from shared.harness.work_item import WorkItem
from shared.harness.worker.inputs import Inputs
from shared.harness.worker.slices import SliceRunner
from shared.storage import blob_names
from shared.storage.blobs import Blobs, unseal
from tests.simulation.bench import mongo_of, simulated
from tests.simulation.child import Child
from tests.simulation.world import World
from tests.support import document_facts

ID = "6f1c2b8e-6a53-4c36-9a3e-3f1f0d1f7b11"


def item(number: int, plan: str | None) -> WorkItem:
    where = {"document_id": ID, "tenant": "a", "stage": "ocr", "attempt": 1, "inputs": {}}
    return WorkItem(**where, plan=plan, slice=number, opens=False)


@pytest.mark.parametrize(("number", "remembers"), [(0, False), (CONCLUDE, False), (CONCLUDE, True)])
@pytest.mark.parametrize("lost", [None, b"damaged"])
def test_a_plan_that_was_lost_or_damaged_is_made_again(number: int, *, remembers: bool, lost: bytes | None) -> None:
    async def body(world: World) -> None:
        blobs, child = Blobs.open("s3://simulated"), Child("ocr")
        document = Document(document_id=ID, tenant="a", filename="doc-0", content_type=None, size=1)
        await blobs.put(blob_names.source("a", ID), b"1")
        await blobs.put_result(blob_names.meta("a", ID), document.model_dump(mode="json"))

        def worker() -> SliceRunner:
            return SliceRunner(StageSettings(), None, blobs, Inputs(blobs))  # type: ignore[arg-type]

        first = worker()
        (planned,) = await first.do(item(PLAN, None), child)
        assert isinstance(planned, StagePlanned)
        await first.do(item(0, planned.plan), child)
        name = blob_names.plan("a", ID, "ocr", planned.plan)
        whole = await blobs.get(name)
        del world.bucket.blobs[name]
        if lost:
            world.bucket.put(name, lost)
        (done,) = await (first if remembers else worker()).do(item(number, planned.plan), child)

        assert isinstance(done, SliceCompleted | StageCompleted)
        assert unseal(await blobs.get(name)) == unseal(whole)

    simulated(body)


def test_a_result_that_was_missing_at_the_last_look_is_stored_once_it_is_there_again() -> None:
    state = document_facts.fold(
        [document_facts.uploaded(), *document_facts.whole("ocr"), *document_facts.whole("chunk")]
    )
    chunk = {"index": 0, "text": "a", "pages": [1, 1], "start": 0, "end": 1, "heading_path": [], "vector": None}

    async def body(world: World) -> tuple[int, int]:
        mongo, blobs = mongo_of(world), Blobs.open("s3://simulated")
        results, rows = StoredResults(mongo, "g", blobs), mongo.projection("documents", "g")
        await rows.insert_one({"_id": state.document_id})
        await results.load([state])
        before = await rows.find_one({"_id": state.document_id})
        assert before is not None
        await blobs.put_result("chunk-result", {"chunks": [chunk]})  # a retry has computed it anew
        await results.load([state])
        after = await rows.find_one({"_id": state.document_id})
        assert after is not None
        assert await mongo.projection("chunks", "g").count_documents({}) == 1
        return len(before["faults"]), len(after["faults"])

    assert simulated(body) == (1, 0)
