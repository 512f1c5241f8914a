"""Results on their way into the database: whatever one document holds, the others go on."""

import uuid
from typing import Any

import pytest

from shared.runtime import failpoints
from shared.storage.mongo import size_of
from tests.support.facts import life
from tests.support.projection import VECTOR, Bench

LARGE = 60_000  # findings: more than the database takes in one row


def finding(number: int) -> dict[str, Any]:
    value = f"{number:>100}"
    return {
        "field": "amount", "value": value, "normalized": value, "page": 1, "start": number, "end": number + 9,
        "confidence": 0.9, "method": "near", "currency": None,
    }  # fmt: skip


def chunk(**changes: Any) -> dict[str, Any]:
    whole = {"index": 0, "text": "a", "pages": [1, 2], "start": 0, "end": 1, "heading_path": [], "vector": VECTOR}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


BROKEN: dict[str, dict[str, Any]] = {
    "a chunk of another shape": {"chunks": [chunk(heading_path=...)]},
    "no list of chunks": {"pieces": []},
    "a vector that is none": {"chunks": [chunk(vector=7)]},
    "a list that is none": {"chunks": 3},
    "a text that the database does not take": {"chunks": [chunk(text="x" * 17_000_000)]},
}


async def stored(bench: Bench, ids: list[str]) -> str:
    """A generation in which the documents' results were loaded together."""
    generation = await bench.folded([fact for i in ids for fact in life(i)], size=100)
    await bench.store_results(generation)
    return generation


@pytest.fixture
async def three(bench: Bench) -> list[str]:
    """Three documents whose results are stored soundly in the blob store."""
    ids = [str(uuid.uuid4()) for _ in range(3)]
    for i in ids:
        await bench.upload(i)
    return ids


@pytest.mark.parametrize("result", BROKEN.values(), ids=BROKEN)
async def test_a_result_that_cannot_be_stored_is_a_fault_of_its_document_alone(
    bench: Bench, three: list[str], result: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    before, broken, after = three
    await bench.blobs.put_result(f"default/{broken}/chunk/p/result", result)
    generation = await stored(bench, three)
    rows = {i: await bench.row("documents", generation, i) for i in three}
    assert {i: row.get("faults", {}) for i, row in rows.items() if row and i != broken} == {before: {}, after: {}}
    assert rows[broken]["faults"]["chunk"]["code"] == "result_unusable"  # type: ignore[index]
    for i in (before, after):
        assert await bench.row("chunks", generation, f"{i}/0")
    assert await bench.row("extractions", generation, broken), "its other results are there"
    said = "".join(capfd.readouterr())
    assert broken in said
    assert "xxxxxxxx" not in said


async def test_a_large_extraction_stays_in_its_blob_and_ends_nothing(bench: Bench, three: list[str]) -> None:
    large = three[1]
    extraction = {"title": "A table", "findings": [finding(n) for n in range(LARGE)]}
    assert size_of(extraction) > 16 * 1024 * 1024
    name = f"default/{large}/extract/p/result"
    await bench.blobs.put_result(name, extraction)
    generation = await stored(bench, three)
    row = await bench.row("extractions", generation, large)
    assert row == {"_id": large, "tenant": "default", "title": "A table", "findings": [], "findings_in": name}
    documents = [await bench.row("documents", generation, i) for i in three]
    assert not any(document.get("faults") for document in documents if document)


async def test_a_document_that_raises_while_its_results_are_loaded_keeps_nobody_from_theirs(
    bench: Bench, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_for(monkeypatch, "progress.load", three[0])
    generation = await stored(bench, three)
    rows = [await bench.row("documents", generation, i) for i in three]
    assert [sorted(row.get("faults", {})) for row in rows if row] == [["chunk", "extract"], [], []]


async def test_an_outage_is_no_documents_fault(bench: Bench, three: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Exception):
        pass

    async def away(*_: Any) -> None:
        raise Away

    monkeypatch.setattr("shared.projecting.fences.PASSES", (Away,))
    monkeypatch.setattr("services.progress.projection.stored_results.mongo.replace", away)
    generation = await bench.folded([fact for i in three for fact in life(i)], size=100)
    with pytest.raises(Away):
        await bench.store_results(generation)
    monkeypatch.undo()
    await bench.store_results(generation)
    rows = [await bench.row("documents", generation, i) for i in three]
    assert [row.get("faults", {}) for row in rows if row] == [{}, {}, {}]


def raise_for(monkeypatch: pytest.MonkeyPatch, where: str, document_id: str) -> None:
    """Let a failpoint raise for one document."""
    monkeypatch.setattr(failpoints, "_RAISE", where)
    monkeypatch.setattr(failpoints, "_DOCUMENT", document_id)
