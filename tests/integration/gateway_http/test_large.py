"""Large results: whoever asks for one holds nobody else up for longer than a blink."""

import asyncio
import time
import uuid
from typing import Any

import httpx
import pytest
import pytest_asyncio

from shared.storage.blobs import Blobs
from tests.support.gateway import GatewayProcess, Hand

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Lorem ipsum dolor sit amet consectetur. " * 800_000  # 32 MB
PAGES = 3_200
LONGEST = 0.05  # seconds of the event loop for one request: the time of the answer comes to it on one core


def page(number: int) -> dict[str, Any]:
    nothing: dict[str, Any] = {"confidence": None, "width": None, "height": None, "words": []}
    return {"page": number, "text": TEXT[(number - 1) * 10_000 : number * 10_000], "source": "text_layer", **nothing}


def finding(number: int) -> dict[str, Any]:
    said = {"field": "amount", "value": str(number), "normalized": str(number), "page": 1, "confidence": 0.9}
    return {**said, "start": number, "end": number + 1, "method": "near", "currency": None}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def large(hand: Hand, environment: dict[str, str]) -> str:
    """A document whose text has 32 MB and whose extraction has 20,000 findings."""
    document_id = str(uuid.uuid4())
    blobs = Blobs.open(environment["PAGESTREAM_STORE"])
    here = f"default/{document_id}"
    plan = {"engine": "e", "slices": [{"weight": 1.0, "pages": [1, PAGES], "args": {}}], "page_count": PAGES}
    spans = [{"page": n, "start": (n - 1) * 10_000, "end": n * 10_000} for n in range(1, PAGES + 1)]
    await blobs.put_result(f"{here}/ocr/p/plan", plan)
    await blobs.put_result(f"{here}/ocr/p/0", {"pages": [page(n) for n in range(1, PAGES + 1)]})
    await blobs.put_result(f"{here}/ocr/p/result", {"text": TEXT, "pages": spans})
    await blobs.put_result(f"{here}/extract/p/result", {"findings": [finding(n) for n in range(20_000)]})
    results = {"ocr": f"{here}/ocr/p/result", "extract": f"{here}/extract/p/result"}
    row = {"results": results, "plans": {"ocr": "p"}, "slices": {"ocr": {"done": bytes([1])}}}
    await hand.put(document_id, 1, row=row)
    extraction = {"_id": document_id, "tenant": "default", "title": "T", "findings": []}
    rows = hand.mongo.projection("extractions", hand.generation)
    await rows.insert_one({**extraction, "findings_in": results["extract"]})
    return document_id


@pytest.mark.parametrize("path", ["text", "pages/1", "pages/3200", "extraction", "pages", "chunks", "timeline"])
async def test_a_large_result_keeps_nobody_waiting(
    http: httpx.AsyncClient, gateway: GatewayProcess, large: str, path: str
) -> None:
    async def asked() -> None:
        async with (
            httpx.AsyncClient(base_url=gateway.url, timeout=30) as other,
            other.stream("GET", f"/v1/documents/{large}/{path}") as answer,
        ):
            async for _ in answer.aiter_raw():
                pass

    usual = min([await answer_time(http) for _ in range(10)])
    waits = []
    for _ in range(3):
        asking = asyncio.create_task(asked())
        slowest = 0.0
        while not asking.done():
            slowest = max(slowest, await answer_time(http))
        await asking
        waits.append(slowest)
    assert min(waits) - usual < 2 * LONGEST  # two cores carry the test, the gateway and the database


async def test_a_large_result_is_whole(http: httpx.AsyncClient, large: str) -> None:
    here = f"/v1/documents/{large}"
    text = (await http.get(f"{here}/text")).json()
    assert (text["document_id"], text["text"] == TEXT, len(text["pages"])) == (large, True, PAGES)
    assert (await http.get(f"{here}/text", headers={"Accept": "text/plain"})).text == TEXT
    for number in (1, 1_700, PAGES):
        assert (await http.get(f"{here}/pages/{number}")).json() == page(number)
    extraction = (await http.get(f"{here}/extraction")).json()
    assert extraction == {"title": "T", "findings": [finding(n) for n in range(20_000)]}


async def answer_time(http: httpx.AsyncClient) -> float:
    began = time.monotonic()
    assert (await http.get("/healthz")).status_code == 200
    return time.monotonic() - began
