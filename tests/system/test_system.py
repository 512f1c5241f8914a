"""The whole system as real processes: documents go in, results come out, people stop and retry."""

import asyncio
import time
import uuid

import pytest

from shared.events.document import RetryScheduled, SliceCompleted, StageFailed, StageRequested, WorkerLost
from shared.kafka import topics
from shared.kafka.producer import Producer
from tests.support import kafka, pdfs
from tests.support.running_system import RunningSystem
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)


async def test_a_scan_is_recognised_page_by_page(system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.scan(2), "protocol.pdf")
    view = await system.until(document_id)
    assert (view["status"], view["percent"], view["filename"]) == ("completed", 100, "protocol.pdf")
    assert view["pages"] == {"total": 2, "done": 2, "failed": []}
    assert {stage["status"] for stage in view["stages"].values()} == {"completed"}
    found = await system.results(document_id)
    for number, page in enumerate(found["pages"]):
        assert page["source"] == "ocr"
        assert pdfs.sentence(number) in page["text"]
        assert pdfs.sentence(number) in found["text"]["text"]
    assert any(pdfs.sentence(0) in chunk["text"] for chunk in found["chunks"])
    assert await system.slices_done(document_id) == {0: 1, 1: 1}


async def test_a_born_digital_document_is_read_from_its_text_layer(system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.born_digital(3), "invoice.pdf")
    view = await system.until(document_id)
    assert (view["status"], view["pages"]["done"]) == ("completed", 3)
    found = await system.results(document_id)
    assert {page["source"] for page in found["pages"]} == {"text_layer"}
    values = {finding["normalized"] for finding in found["extraction"]["findings"]}
    assert {"2025-03-12", "RE-2025-0042"} <= values
    assert any("119.00" in value for value in values)


async def test_a_broken_document_fails_with_a_reason_and_without_a_retry(system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.broken(), "broken.pdf")
    view = await system.until(document_id)
    assert view["status"] == "failed"
    error = view["error"]
    assert (error["code"], error["stage"], error["retryable"]) == ("corrupt_pdf", "ocr", False)
    assert error["message"].startswith("The PDF is damaged")
    facts = await system.facts(document_id)
    assert not [fact for fact in facts if isinstance(fact, RetryScheduled | StageRequested)]
    assert [fact.final for fact in facts if isinstance(fact, StageFailed)] == [True]


async def test_twenty_documents_at_once_are_all_completed_without_a_loss_or_a_retry(system: RunningSystem) -> None:
    names = [f"{first} {last}" for first in ("Anna", "Bruno", "Clara", "David") for last in pdfs.WORDS[:5]]
    ids = await asyncio.gather(*(system.upload(pdfs.letter(name), "letter.png") for name in names))
    views = [await system.until(document_id) for document_id in ids]
    assert [view["status"] for view in views] == ["completed"] * 20
    for document_id, name in zip(ids, names, strict=True):
        assert name in (await system.get(f"{document_id}/text"))["text"]
        facts = await system.facts(document_id)
        assert not [fact for fact in facts if isinstance(fact, WorkerLost | RetryScheduled | StageRequested)]
        assert len(facts) == len({fact.event_id for fact in facts})  # nothing was said twice, so nothing was done twice


async def test_cancelling_stops_the_recognisers_and_a_retry_resumes_at_the_missing_pages(
    system: RunningSystem,
) -> None:
    undisturbed = await system.upload(pdfs.scan(16))
    await system.until(undisturbed, {"completed"})
    document_id = await system.upload(pdfs.scan(16))
    await system.until_pages(document_id, 2)
    await until(system.at_work)
    began = time.monotonic()
    assert (await system.call("POST", f"/v1/documents/{document_id}/cancel")).status_code == 202
    await until(lambda: not system.at_work(), within=10)
    assert time.monotonic() - began < 2.5  # the promise is 2 s, the machine may have other work
    view = await system.until(document_id)
    assert view["status"] == "cancelled"
    assert system.at_work() == []
    kept = await system.slices_done(document_id)
    assert 2 <= len(kept) < 16
    done_before = len([fact for fact in await system.facts(document_id) if isinstance(fact, SliceCompleted)])

    assert (await system.call("POST", f"/v1/documents/{document_id}/retry")).status_code == 202
    view = await system.until(document_id, {"completed", "failed"})
    assert view["status"] == "completed"
    assert view["pages"]["done"] == 16
    assert await system.slices_done(document_id) == dict.fromkeys(range(16), 1)
    ocr = [fact for fact in await system.facts(document_id) if isinstance(fact, SliceCompleted) and fact.stage == "ocr"]
    assert {fact.slice for fact in ocr[done_before:]} == set(range(16)) - set(kept)  # done pages are not done again
    assert await system.results(document_id) == await system.results(undisturbed)


@pytest.mark.parametrize("topic", [topics.DOCUMENTS, topics.PROGRESS, topics.slices("ocr")])
async def test_bytes_that_nobody_can_read_are_parked_once_and_their_partition_moves_on(
    system: RunningSystem, topic: str
) -> None:
    bytes_of_nobody = f"not for us {uuid.uuid4()}".encode()
    document_id = await system.upload(pdfs.letter("Erna"))
    async with Producer.connect(system.settings.kafka) as producer:
        await producer.send(topic, bytes_of_nobody, key=document_id)

    async def parked() -> list[dict[str, bytes]]:
        found = await kafka.records(system.settings.kafka, topics.PARKED)
        return [dict(record.headers) for record in found if record.value == bytes_of_nobody]

    (headers,) = await until(parked)
    assert headers["parked-from"] == topic.encode()
    assert headers["parked-id"].startswith(topic.encode() + b"-")
    assert headers["parked-reason"]
    assert (await system.until(document_id))["status"] == "completed"
    after = await system.upload(pdfs.letter("Emil"))
    assert (await system.until(after))["status"] == "completed"
    assert len(await parked()) == 1
