"""Big documents first: whoever comes with a single page is not held up by them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from benchmarks.fairness import put
from shared.events.document import CancelRequested, SliceCompleted, StageCompleted, utcnow
from shared.kafka.producer import Producer
from shared.storage.blobs import Blobs
from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem
from tests.chaos.conftest import Fault

pytestmark = pytest.mark.timeout(240)

PAGES: Final = 300
PASSED_BY: Final = 20  # pages of the big one that may be done meanwhile; a child may have to be started first


@asynccontextmanager
async def big_document(system: ChaosSystem, tenant: str) -> AsyncIterator[str]:
    """A document of many pages, two of which are being read; it is cancelled on leaving."""
    async with Producer.connect(system.settings.kafka) as producer:
        data = pictures.scan(*[pictures.PLAIN] * PAGES)
        document_id = await put(producer, Blobs.open(system.settings.store), data, tenant)
        try:
            await system.until_reading(2)
            yield document_id
        finally:
            about = {"document_id": document_id, "tenant": tenant, "at": utcnow(), "producer": "test"}
            await producer.append(CancelRequested.claim(claim="enough", **about))


@pytest.mark.parametrize(
    "tenant",
    [
        pytest.param("default", id="of the same tenant", marks=pytest.mark.soak),
        pytest.param("neighbour", id="of another"),
    ],
)
async def test_20_a_single_page_passes_a_big_document(system: ChaosSystem, fault: Fault, tenant: str) -> None:
    with fault(20, f"a document of {PAGES} pages of tenant {tenant} first"), system.page_takes(0.2):
        async with big_document(system, tenant) as big:
            small = await system.upload(pictures.picture())
            await system.completed(small)
            assert not [fact for fact in await system.facts(big) if isinstance(fact, StageCompleted)]
        facts = await system.facts(small)
        (page,) = [fact.at for fact in facts if isinstance(fact, SliceCompleted) and fact.stage == "ocr"]
        before = [fact for fact in await pages(system, big) if facts[0].at < fact.at < page]
        assert len(before) <= PASSED_BY
        await system.check()


async def test_20_while_all_cores_read_another_tenants_document_a_short_text_is_done(
    system: ChaosSystem, fault: Fault
) -> None:
    with fault(20, "all cores are held"), system.held():
        async with big_document(system, "neighbour") as big:
            await system.completed(await system.upload(pictures.note(1), "note.txt"))
            assert await pages(system, big) == []
    await system.check()


async def pages(system: ChaosSystem, document_id: str) -> list[SliceCompleted]:
    """The pages of a document that are read."""
    return [fact for fact in await system.facts(document_id) if isinstance(fact, SliceCompleted)]
