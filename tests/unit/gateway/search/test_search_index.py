"""The index of one folder: words, vectors and the catalog, with the real libraries."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from services.gateway.search import vector_index
from services.gateway.search.catalog import Entry, Position
from services.gateway.search.narrowing import Narrowing
from services.gateway.search.rank_fusion import words_of
from services.gateway.search.search_index import Chunk, SearchIndex

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ALL = Narrowing()


def vector(direction: int, slant: float = 0.0) -> bytes:
    """A vector of length 1 along one axis, or a little off it."""
    found = np.zeros(384, "<f4")
    found[direction], found[direction + 1] = 1.0, slant
    unit: bytes = (found / np.linalg.norm(found)).astype("<f4").tobytes()
    return unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def index(folder: Path) -> Iterator[SearchIndex]:
    opened = SearchIndex(folder)
    yield opened
    opened.close()


def put(index: SearchIndex, *texts: str, tenant: str = "acme", direction: int | None = None, **entry: object) -> str:
    document_id = str(entry.pop("document_id", uuid.uuid4()))
    about = Entry(document_id, tenant, str(entry.pop("result", "r")), len(texts), uploaded_at=NOON)._replace(**entry)  # type: ignore[arg-type]
    chunks = [
        Chunk(n, text, vector(direction, n / 10) if direction is not None else None) for n, text in enumerate(texts)
    ]
    index.put(about, chunks, "g1")
    return document_id


def worded(index: SearchIndex, q: str, *, tenant: str = "acme", to: Narrowing = ALL) -> list[tuple[str, int]]:
    return index.worded(tenant, words_of(q), 10, to)


def test_chunks_are_found_by_any_of_the_words_the_best_first(index: SearchIndex) -> None:
    document = put(index, "The rent is due in May.", "The rent of the flat is due.", "Cats sleep.")

    assert worded(index, "rent flat") == [(document, 1), (document, 0)]


@pytest.mark.parametrize("q", ["ÜBERSETZUNG", "übersetzung", "Ubersetzung"])
def test_case_and_accents_do_not_matter(index: SearchIndex, q: str) -> None:
    document = put(index, "Die Übersetzung liegt bei.")

    assert worded(index, q) == [(document, 0)]


def test_near_vectors_are_found_the_nearest_first_and_far_ones_not(index: SearchIndex) -> None:
    document = put(index, "a", "b", direction=3)
    put(index, "c", direction=100)

    assert index.near("acme", vector(3), 10, ALL) == [(document, 0), (document, 1)]


def test_another_tenant_finds_nothing(index: SearchIndex) -> None:
    put(index, "rent", direction=3)

    assert worded(index, "rent", tenant="globex") == []
    assert index.near("globex", vector(3), 10, ALL) == []


def test_another_result_takes_the_place_of_the_first(index: SearchIndex) -> None:
    document = put(index, "first", "second", "third", direction=3)
    put(index, "fourth", document_id=document, result="another", direction=90)

    assert worded(index, "first second third fourth") == [(document, 0)]
    assert index.near("acme", vector(3), 10, ALL) == []
    assert index.near("acme", vector(90), 10, ALL) == [(document, 0)]


def test_of_a_removed_document_nothing_is_found(index: SearchIndex) -> None:
    document = put(index, "rent", direction=3)
    index.remove([document])

    assert (worded(index, "rent"), index.near("acme", vector(3), 10, ALL)) == ([], [])
    assert index.catalog.count() == 0


@pytest.mark.parametrize(
    "to",
    [
        Narrowing(batch="May"),
        Narrowing(tags=("new", "paid")),
        Narrowing(kind="invoice"),
        Narrowing(since=NOON - timedelta(hours=1), until=NOON + timedelta(hours=1)),
        Narrowing("May", ("paid",), "invoice", NOON),
    ],
)
def test_a_search_can_be_narrowed(index: SearchIndex, to: Narrowing) -> None:
    mine = put(index, "rent", direction=3, batch="May", tags=("paid", "new"), kind="invoice")
    put(index, "rent", direction=3, batch="June", tags=("paid",), kind="letter", uploaded_at=NOON - timedelta(days=1))

    assert worded(index, "rent", to=to) == [(mine, 0)]
    assert index.near("acme", vector(3), 10, to) == [(mine, 0)]


def test_a_narrowed_search_among_many_asks_the_graph_for_more(
    index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.search.search_index.EXACT", 0)
    mine = [put(index, "rent", direction=3, batch="May") for _ in range(3)]
    for _ in range(20):
        put(index, "rent", direction=3)

    found = index.near("acme", vector(3), 2, Narrowing(batch="May"))

    assert len(found) == 2
    assert {document for document, _ in found} <= set(mine)


def test_many_vectors_are_found_through_the_graph(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "EXACT", 10)
    random = np.random.default_rng(1)
    vectors = random.standard_normal((500, 384)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    document = str(uuid.uuid4())
    chunks = [Chunk(n, "", one.tobytes()) for n, one in enumerate(vectors)]
    index.put(Entry(document, "acme", "r", 500, uploaded_at=NOON), chunks, "g1")

    assert [index.near("acme", vectors[n].tobytes(), 1, ALL) for n in range(50)] == [[(document, n)] for n in range(50)]


def test_what_was_saved_is_there_again(folder: Path) -> None:
    index = SearchIndex(folder)
    document = put(index, "rent", direction=3, tags=("paid",))
    index.catalog.position = Position("g1", NOON)
    index.close()

    again = SearchIndex(folder)

    assert worded(again, "rent", to=Narrowing(tags=("paid",))) == [(document, 0)]
    assert again.near("acme", vector(3), 10, ALL) == [(document, 0)]
    assert again.catalog.position == Position("g1", NOON)
    again.close()


def test_a_crash_leaves_nothing_of_what_was_not_saved(folder: Path) -> None:
    index = SearchIndex(folder)
    saved = put(index, "rent", direction=3)
    index.save()
    put(index, "rent lost", direction=3)
    worded(index, "lost")  # the words of it are on disk already
    index.catalog.close()
    del index

    again = SearchIndex(folder)
    other = put(again, "flat", direction=90)  # under the number that the lost one had

    assert worded(again, "rent lost flat") == [(other, 0), (saved, 0)] or worded(again, "rent lost flat") == [
        (saved, 0),
        (other, 0),
    ]
    assert again.near("acme", vector(3), 10, ALL) == [(saved, 0)]
    again.close()


def test_documents_that_a_generation_does_not_have_are_known(index: SearchIndex) -> None:
    old, new = put(index, "a"), put(index, "b")
    index.catalog.see([new], "g2")

    assert index.catalog.unseen("g2", 10) == [old]
