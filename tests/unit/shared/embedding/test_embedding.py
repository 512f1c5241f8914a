import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from shared.embedding.conversion import converted
from shared.embedding.model import DIMENSIONS, MAX_TOKENS, Embedder

HAPPY = ["That is a happy person", "That is a very happy person", "That is a happy dog", "Today is a sunny day"]


@pytest.fixture(scope="module")
def embedder(model_cache: Path) -> Embedder:
    return Embedder(model_cache)


def test_similar_sentences_are_near_and_others_are_not(embedder: Embedder) -> None:
    same, very, dog, weather = (embedder.embed(HAPPY) @ embedder.embed(HAPPY[:1])[0]).tolist()
    assert same == pytest.approx(1, abs=1e-3)
    # The float32 model gives 0.943, 0.695 and 0.257.
    assert very == pytest.approx(0.943, abs=0.02)
    assert dog == pytest.approx(0.695, abs=0.03)
    assert weather == pytest.approx(0.257, abs=0.03)


def test_int8_stays_close_to_float32(embedder: Embedder, model_cache: Path) -> None:
    texts = [
        *HAPPY,
        "The tenant shall pay the rent of 1,250.00 EUR monthly. " * 8,
        "Die Miete ist fällig.",
        "本合同生效。",
    ]
    exact = Embedder(model_cache, quantization=None).embed(texts)
    assert (embedder.embed(texts) * exact).sum(axis=1).min() >= 0.98


def test_vectors_come_in_the_order_of_the_texts_and_have_length_one(embedder: Embedder) -> None:
    texts = [sentence * times for times, sentence in enumerate(HAPPY * 3, 1)]
    vectors = embedder.embed(texts)
    assert vectors.shape == (12, DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert embedder.embed([text])[0] @ vector > 0.99  # padding beside longer neighbours changes nothing


def test_what_is_beyond_the_models_reach_is_left_out(embedder: Embedder) -> None:
    long = "rent " * MAX_TOKENS
    assert embedder.embed([long])[0] @ embedder.embed([long + "a cat sat on the mat"])[0] == pytest.approx(1, abs=1e-4)


def test_progress_counts_up_to_the_number_of_texts(embedder: Embedder) -> None:
    seen: list[tuple[int, int]] = []
    embedder.embed(HAPPY * 2 + HAPPY[:1], lambda done, total: seen.append((done, total)))
    assert seen == [(4, 9), (8, 9), (9, 9)]


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, DIMENSIONS)


def test_two_processes_at_once_convert_the_model_once(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(2) as pool:
        folders = pool.map(converted, [tmp_path / "cache"] * 2, chunksize=1)
        pool.close()
        pool.join()
    assert folders[0] == folders[1]
    assert sorted(path.name for path in folders[0].iterdir()) == ["config.json", "model.bin", "vocabulary.json"]
    assert [path for path in folders[0].parent.iterdir() if path.is_dir()] == folders[:1]


def test_what_a_killed_conversion_left_is_replaced(tmp_path: Path) -> None:
    target = converted(tmp_path)
    partial = target.with_name(f"{target.name}.partial")
    target.rename(partial)
    (partial / "model.bin").write_bytes(b"half of it")
    assert converted(tmp_path) == target
    assert (target / "model.bin").stat().st_size > 20_000_000
    assert not partial.exists()
