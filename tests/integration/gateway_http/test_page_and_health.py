"""The page, the descriptions and the signs of life."""

import gzip
import re

import httpx
import pytest

from services.gateway.http import static
from tests.support.gateway import Hand
from tests.support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def says(http: httpx.AsyncClient, status: int, words: str) -> None:
    """Wait until /readyz does: an answer is good for a second."""

    async def so() -> bool:
        answer = await http.get("/readyz")
        return answer.status_code == status and words in answer.json()["checks"]["projection"]

    await until(so, within=10, what=f"/readyz says: {words}")


async def test_ready_says_what_is_missing(http: httpx.AsyncClient, hand: Hand) -> None:
    assert (await http.get("/healthz")).status_code == 200
    await hand.healthy()
    await says(http, 200, "ok")
    await hand.healthy(halted="it needs a newer release")
    await says(http, 503, "needs a newer release")
    assert (await http.get("/v1/system")).json()["halted"] == ["progress"]
    await hand.healthy()


async def test_the_files_of_the_page_travel_compressed_where_that_is_understood(http: httpx.AsyncClient) -> None:
    files = {
        path.relative_to(static.FOLDER).as_posix(): path.read_bytes()
        for path in static.FOLDER.rglob("*")
        if path.is_file()
    }
    weight = 0
    for name, data in files.items():
        async with http.stream("GET", f"/web/{name}", headers={"Accept-Encoding": "br, gzip"}) as answer:
            travelled = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
        assert gzip.decompress(travelled) == data
        weight += len(travelled)
    assert weight <= 100 * 1024
    etags = set()
    for accepted in ("identity", "gzip;q=0", "gzip"):
        answer = await http.get("/web/page/app.js", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == ("gzip" if accepted == "gzip" else None)
        assert answer.content == files["page/app.js"]
        known = {"Accept-Encoding": accepted, "If-None-Match": answer.headers["etag"]}
        assert (await http.get("/web/page/app.js", headers=known)).status_code == 304
        etags.add(answer.headers["etag"])
    assert len(etags) == 2  # the same mark never names other bytes


async def test_the_page_and_the_docs_come_with_a_strict_policy(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    again = await http.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304
    script = await http.get("/web/client/protocol.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert (await http.get("/openapi.json")).json()["paths"]["/v1/documents/{document_id}"]["delete"]
    for path in ("/web/../settings.py", "/web/%2e%2e/settings.py", "/web/nothing", "/v1/nothing"):
        assert (await http.get(path)).json()["code"] == "not_found"
    assert (await http.put("/v1/documents")).json()["code"] == "method_not_allowed"


async def test_swagger_ui_is_served_from_here_under_the_same_policy(http: httpx.AsyncClient) -> None:
    docs = await http.get("/docs")
    assert docs.status_code == 200
    assert "script-src 'self';" in docs.headers["content-security-policy"]
    assert "unsafe" not in docs.headers["content-security-policy"]
    assert "https:" not in docs.text
    assert re.search(r"<script(?![^>]*src=)|<style|style=|\bon\w+=", docs.text) is None
    loaded = re.findall(r'(?:src|href)="(web/[^"]+)"', docs.text)
    assert {"web/docs/swagger-ui-bundle.js", "web/docs/swagger-ui.css", "web/docs/start.js"} <= set(loaded)
    for path in loaded:
        answer = await http.get(f"/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == docs.headers["content-security-policy"]
    style = (await http.get("/web/docs/swagger-ui.css")).text
    assert "@import" not in style
    assert set(re.findall(r"url\(['\"]?(\w+:)", style)) <= {"data:"}
    assert "validatorUrl: null" in (await http.get("/web/docs/start.js")).text
    assert (await http.get("/asyncapi.json")).json()["asyncapi"] == "3.0.0"
