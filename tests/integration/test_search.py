"""Search over a real database and the real model: by words, by meaning, never across tenants, never what is deleted."""

import time
import uuid
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest

from shared.embedding.model import DIMENSIONS, Embedder
from shared.storage import mongo
from tests.support.gateway import Hand
from tests.support.infrastructure import CACHE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

RENT: Final = "The tenant shall pay 1,250 EUR each month for the flat."
CAT: Final = "Our cat sleeps on the sofa all day."
IBAN: Final = "Transfer the amount to DE60500999210012345678 <b>now</b>."


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PAGESTREAM_CACHE": str(CACHE)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder(Path(CACHE))


class Desk:
    """Puts documents with chunks where the projector puts them."""

    def __init__(self, hand: Hand, model: Embedder) -> None:
        self._hand = hand
        self._model = model

    async def put(self, *texts: str, tenant: str = "default", vectors: bool = True) -> str:
        embedded = self._model.embed(texts) if vectors else [None] * len(texts)
        return await self.put_embedded(texts, embedded, tenant=tenant)

    async def put_embedded(self, texts: Any, vectors: Any, *, tenant: str = "default") -> str:
        document_id = str(uuid.uuid4())
        rows = [
            {
                "_id": f"{document_id}/{n}", "document_id": document_id, "tenant": tenant, "index": n, "text": text,
                "pages": [1, 1], "start": 0, "end": len(text), "heading_path": [],
                "embedding": None if vector is None else mongo.vector(np.asarray(vector, "<f4").tobytes()),
            }
            for n, (text, vector) in enumerate(zip(texts, vectors, strict=True))
        ]  # fmt: skip
        await mongo.replace(self._hand.mongo.projection("chunks", self._hand.generation), rows)
        await self._hand.put(document_id, 1, tenant=tenant, row={"loaded": {"chunk": uuid.uuid4().hex}})
        return document_id


@pytest.fixture
def desk(hand: Hand, model: Embedder) -> Desk:
    return Desk(hand, model)


async def found(http: httpx.AsyncClient, q: str, **more: Any) -> list[dict[str, Any]]:
    answer = await http.get("/v1/search", params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def test_chunks_are_found_by_their_words_and_the_words_are_marked(http: httpx.AsyncClient, desk: Desk) -> None:
    document_id = await desk.put(IBAN, RENT)
    best = (await found(http, "de60500999210012345678 now"))[0]
    assert (best["document_id"], best["index"], best["pages"], best["text"]) == (document_id, 0, [1, 1], IBAN)
    assert [IBAN[start:end] for start, end in best["highlights"]] == ["DE60500999210012345678", "now"]
    assert (best["filename"], best["start"], best["end"]) == ("lease.pdf", 0, len(IBAN))
    shown = {"document_id", "filename", "index", "pages", "start", "end", "text", "highlights", "score"}
    assert best.keys() == shown


async def test_chunks_are_found_by_what_they_mean_without_one_common_word(http: httpx.AsyncClient, desk: Desk) -> None:
    document_id = await desk.put(CAT, RENT)
    results = await found(http, "monthly lease cost of an apartment")
    assert (results[0]["text"], results[0]["highlights"]) == (RENT, [])
    assert (document_id, 0) not in [(one["document_id"], one["index"]) for one in results]


async def test_a_chunk_without_a_vector_is_found_by_its_words(http: httpx.AsyncClient, desk: Desk) -> None:
    document_id = await desk.put("A zyzzyva is a weevil.", vectors=False)
    assert [one["document_id"] for one in await found(http, "zyzzyva")] == [document_id]


async def test_what_is_new_is_found_at_once_and_what_is_deleted_never_again(
    http: httpx.AsyncClient, desk: Desk, hand: Hand
) -> None:
    question = "Which volcano erupted?"
    assert await found(http, question) == []
    document_id = await desk.put("Mount Etna spewed lava and ash last night.")
    assert [one["document_id"] for one in await found(http, question)] == [document_id]
    await hand.delete(document_id, 2)  # the chunks themselves are erased a moment later
    assert await found(http, question) == []
    assert await found(http, "lava") == []


async def test_another_tenants_chunks_are_not_found(http: httpx.AsyncClient, desk: Desk) -> None:
    document_id = await desk.put("The quokka of another tenant eats leaves.", tenant="other")
    for question in ("quokka", "a small marsupial that feeds on foliage"):
        assert document_id not in [one["document_id"] for one in await found(http, question)]


async def test_a_list_of_results_goes_on_where_its_page_ended(http: httpx.AsyncClient, desk: Desk) -> None:
    await desk.put(*(f"Gadolinium sample number {n}" for n in range(7)), vectors=False)
    seen: list[int] = []
    cursor = None
    while True:
        where: dict[str, Any] = {"cursor": cursor} if cursor else {}
        answer = (await http.get("/v1/search", params={"q": "gadolinium", "limit": 3, **where})).json()
        seen += [one["index"] for one in answer["results"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == list(range(7))


@pytest.mark.parametrize("q", ['"', "-", '-a "b', "$where", "\x00", "ß" * 500, "🎈", "{}"])
async def test_no_query_is_an_error(http: httpx.AsyncClient, q: str) -> None:
    await found(http, q)


@pytest.mark.parametrize("params", [{}, {"q": ""}, {"q": "x" * 501}, {"q": "x", "cursor": "nonsense"}])
async def test_what_is_no_search_is_refused(http: httpx.AsyncClient, params: dict[str, str]) -> None:
    assert (await http.get("/v1/search", params=params)).json()["code"] == "bad_request"


@pytest.mark.soak
async def test_ten_thousand_chunks_are_searched_without_delay(http: httpx.AsyncClient, desk: Desk) -> None:
    random = np.random.default_rng(4)
    words = [f"word{n}" for n in range(2_000)]
    for _ in range(20):
        vectors = random.standard_normal((500, DIMENSIONS))
        texts = [" ".join(random.choice(words, 100)) for _ in range(500)]
        await desk.put_embedded(texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    await found(http, "word7")  # loads the vectors
    times = []
    for n in range(10):
        began = time.perf_counter()
        assert await found(http, f"word{n} word{n + 1}")
        times.append(time.perf_counter() - began)
    print(f"search in 10,000 chunks: median {sorted(times)[5] * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms")
    assert sorted(times)[5] < 1.0  # 0.2 on an idle machine
