"""What callers are told while a part behind the gateway is away, or busy with others."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import GatewayProcess, Hand, environment_of, free_port, serving
from tests.support.infrastructure import Infrastructure
from tests.support.proxy import Proxy
from tests.support.uploads import new_pdf, upload
from tests.support.wait import until
from tests.support.websocket import new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(broker: Infrastructure) -> AsyncIterator[Proxy]:
    """What stands between the gateway and its database."""
    upstream = urlsplit(broker.mongo).port
    assert upstream
    proxy = Proxy(free_port(), upstream)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    environment: dict[str, str], folder: Path, hand: Hand, database: Proxy
) -> AsyncIterator[GatewayProcess]:
    """A gateway with a proxy before its database."""
    # Direct: else the driver asks the database for its own address and goes round the proxy.
    address = {"PAGESTREAM_MONGO": f"mongodb://127.0.0.1:{database.port}/?directConnection=true"}
    async with serving({**environment, **address}, folder / "gateway.log") as process:
        yield process


def said(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal that says when to come back and what to do."""
    problem = answer.json()
    assert int(answer.headers.get("retry-after", 0)) > 0, answer.text
    assert problem["detail"]
    assert problem["action"]
    return answer.status_code, problem["code"]


async def test_while_the_database_is_away_every_call_says_so_and_it_is_found_again(
    http: httpx.AsyncClient, hand: Hand, database: Proxy
) -> None:
    document_id = new_id()
    await hand.put(document_id, 1)
    assert (await http.get(f"/v1/documents/{document_id}")).status_code == 200
    data = new_pdf()
    await database.set("reset")
    try:
        paths = (f"/v1/documents/{document_id}", "/v1/documents", "/v1/search?q=rent", f"/v1/jobs/job-{document_id}")
        answers = await asyncio.gather(upload(http, data), *map(http.get, paths))
        assert [said(answer) for answer in answers] == [(503, "database_unavailable")] * 5
    finally:
        await database.set("pass")

    async def is_back() -> bool:
        return (await http.get(f"/v1/documents/{document_id}")).status_code == 200

    await until(is_back)
    again = await upload(http, data)
    assert again.status_code in (200, 202)  # 200: the claim was written before the answer was lost
    assert again.json()["document_id"]


async def test_before_the_first_projection_nothing_is_called_unknown_or_empty(
    broker: Infrastructure, tmp_path: Path
) -> None:
    async with (
        serving(environment_of(broker, tmp_path), tmp_path / "gateway.log") as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=30) as http,
    ):
        for path in (f"/v1/documents/{new_id()}", "/v1/documents", "/v1/jobs"):
            assert said(await http.get(path)) == (503, "projection_unavailable")


async def test_a_store_that_does_not_answer_is_told_and_nothing_is_taken(http: httpx.AsyncClient, folder: Path) -> None:
    store, away = folder / "blobs", folder / "away"
    store.rename(away)
    store.touch()  # no folder: nothing can be written below it
    try:
        assert said(await upload(http, new_pdf())) == (503, "store_unavailable")
    finally:
        store.unlink()
        away.rename(store)
    assert (await upload(http, new_pdf())).status_code == 202
