import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.chunker import handlers
from shared.harness.contract import Document, Plan, Task, no_tick
from shared.results import ChunkList
from tests.support.shapes import assert_shape

SENTENCE = "The tenant pays the rent of the flat on the first working day of each month. "


def task(text: str, tmp_path: Path, tick: Callable[..., None] = no_tick) -> Task:
    document = Document(document_id="d", tenant="t", filename="f.pdf", content_type=None, size=1)
    pages = [{"page": 1, "start": 0, "end": len(text), "status": "done"}]
    return Task(document, tmp_path / "source", tmp_path, {"ocr": {"text": text, "pages": pages}}, tick)


def test_a_document_goes_through_plan_work_and_conclude(chunker: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chunker.setenv("PAGESTREAM_CHUNKER_SLICE_CHUNKS", "2")
    ticks: list[tuple[Any, ...]] = []
    given = task(SENTENCE * 40, tmp_path, lambda code, fraction, **params: ticks.append((code, fraction, params)))
    plan = Plan.model_validate_json(handlers.plan(given).model_dump_json())  # as it comes back from its blob
    results = [json.loads(json.dumps(handlers.work(given, slice_))) for slice_ in plan.slices]
    whole = handlers.conclude(given, plan, results)

    assert_shape(ChunkList, whole)
    assert len(plan.slices) == 2
    assert whole["model"] == "all-MiniLM-L6-v2"
    assert [chunk["index"] for chunk in whole["chunks"]] == list(range(4))
    for chunk in whole["chunks"]:
        assert chunk["text"] == given.earlier["ocr"]["text"][chunk["start"] : chunk["end"]]
        assert (chunk["pages"], chunk["heading_path"]) == ([1, 1], [])
        vector = np.frombuffer(base64.b64decode(chunk["vector"]), "<f4")
        assert vector.shape == (whole["dimensions"],)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert ticks[-1] == ("chunk.embedding", 1.0, {"done": 2, "total": 2})


def test_a_text_without_words_completes_with_no_chunks(chunker: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = task(" \n", tmp_path)
    plan = handlers.plan(given)
    [slice_] = plan.slices
    assert slice_.weight < 0.1
    assert handlers.conclude(given, plan, [handlers.work(given, slice_)])["chunks"] == []


def test_chunks_of_a_failed_slice_keep_their_text_and_have_no_vector(
    chunker: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chunker.setenv("PAGESTREAM_CHUNKER_SLICE_CHUNKS", "1")
    given = task(SENTENCE * 20, tmp_path)
    plan = handlers.plan(given)
    whole = handlers.conclude(given, plan, [None, handlers.work(given, plan.slices[1])])
    lost, kept = whole["chunks"]
    assert lost["text"].startswith("The tenant")
    assert lost["vector"] is None
    assert kept["vector"] is not None
    assert lost.keys() == kept.keys()


def test_weight_grows_with_the_text_and_slices_name_their_pages(chunker: pytest.MonkeyPatch, tmp_path: Path) -> None:
    [short] = handlers.plan(task(SENTENCE, tmp_path)).slices
    [long] = handlers.plan(task(SENTENCE * 100, tmp_path)).slices
    assert long.weight > 20 * short.weight
    assert long.pages == (1, 1)


@pytest.mark.parametrize("field", ["CHARACTERS", "TOKENS", "SLICE_CHUNKS"])
def test_whatever_shapes_the_result_is_in_the_engine(field: str, chunker: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = handlers.plan(task("Hello.", tmp_path)).engine
    chunker.setenv(f"PAGESTREAM_CHUNKER_{field}", {"CHARACTERS": "500"}.get(field, "32"))
    handlers.settings.cache_clear()
    assert handlers.plan(task("Hello.", tmp_path)).engine != before
