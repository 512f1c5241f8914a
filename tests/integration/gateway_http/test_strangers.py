"""What a page of another site, or a number of any size, comes to."""

import base64
import uuid
from itertools import product

import httpx
import orjson
import pytest

from services.gateway.queries import cursors
from tests.support.gateway import Hand

pytestmark = pytest.mark.asyncio(loop_scope="module")

CROSS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
NUMBERS = (0, -1, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, 10**40, -(10**40))
WORDS = ("nan", "inf", "1e400", "", "x", "%00", "%ED%A0%80", "1.5", "true")


async def test_what_a_page_of_another_site_loads_without_saying_whose_it_is_is_refused(http: httpx.AsyncClient) -> None:
    for path in ("/v1/documents", "/v1/search?q=rent", "/v1/system", "/readyz", "/v1/documents?xtoken=1"):
        answer = await http.get(path, headers=CROSS)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin"), path
    answer = await http.post("/v1/jobs", json={"title": "x"}, headers=CROSS)
    assert answer.status_code == 403


async def test_people_may_follow_links_and_pages_may_embed_the_element(http: httpx.AsyncClient) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await http.get("/", headers=followed)).status_code == 200
    element = await http.get("/web/document-progress.js", headers=CROSS)
    assert element.status_code == 200
    assert element.headers["cross-origin-resource-policy"] == "cross-origin"
    same = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert (await http.get("/v1/documents", headers=same)).status_code == 200
    form = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await http.post("/v1/jobs", json={"title": "x"}, headers=form)).status_code == 403


async def test_no_answer_is_to_be_guessed_or_embedded(http: httpx.AsyncClient) -> None:
    for path in ("/v1/documents", "/healthz", "/readyz", "/metrics", "/nowhere", "/", "/openapi.json"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["cross-origin-resource-policy"] == "same-origin", path


async def test_no_number_is_a_defect(http: httpx.AsyncClient, hand: Hand) -> None:
    document_id = str(uuid.uuid4())
    await hand.put(document_id, 1)
    here = f"/v1/documents/{document_id}"
    paths = [f"{here}/pages/{{}}", f"{here}/pages/{{}}/image", f"{here}/timeline/{{}}"]
    paths += [f"{here}/pages/1/image?width={{}}", f"{here}/chunks?limit={{}}", f"{here}/timeline?limit={{}}"]
    paths += ["/v1/documents?limit={}", "/v1/documents?wait={}&since=x:0", f"{here}?since=g:{{}}"]
    paths += ["/v1/search?q=a&limit={}", "/v1/tokens?limit={}"]
    for path, odd in product(paths, (*NUMBERS, *WORDS)):
        answer = await http.get(path.format(odd), timeout=70)
        assert answer.status_code < 500, (path, odd, answer.text)
    listed = ["/v1/documents", f"{here}/chunks", f"{here}/timeline", "/v1/tokens", "/v1/search"]
    for path, odd in product(listed, cursors_of_all_kinds()):
        answer = await http.get(path, params={"cursor": odd, "q": "a"})
        assert answer.status_code < 500, (path, odd, answer.text)


def cursors_of_all_kinds() -> list[str]:
    numbers = [cursors.write(number) for number in NUMBERS if abs(number) < 2**63]
    pairs = [cursors.write(number, "x") for number in NUMBERS if abs(number) < 2**63]
    odd = [[2**64 - 1], [1.5], [None], [True], {}, [], "x", [[1]], [1, 2], ["x", 1], [-(2**63), "\x00"]]
    return [*numbers, *pairs, *(base64.urlsafe_b64encode(orjson.dumps(one)).decode() for one in odd), "?", "é"]
