"""Sentence vectors from all-MiniLM-L6-v2, on one core."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import ctranslate2
import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from shared.embedding.conversion import converted, weights_folder

DIMENSIONS: Final = 384
MAX_TOKENS: Final = 256  # "input text longer than 256 word pieces is truncated", says the model card
MINI_BATCH: Final = 4  # on one core 1 to 4 are equally fast; 64 takes twice the time and 4 x the memory (measured)

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]  # (texts embedded, texts in all)


class Embedder:
    """The loaded model; about 130 MB of the process. The first one of a cache folder converts the weights (0.4 s)."""

    def __init__(self, cache: Path, quantization: str | None = "int8") -> None:
        self._tokenizer = Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()  # padded per mini-batch, below
        folder = converted(cache, quantization)
        # The harness runs one child per core: more threads here would only fight over it.
        self._encoder = ctranslate2.Encoder(str(folder), device="cpu", inter_threads=1, intra_threads=1)

    def embed(self, texts: Sequence[str], progress: Progress = lambda done, total: None) -> Vectors:
        """One vector of length 1 per text, in the order of the texts: float32, shape [len(texts), 384]."""
        vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        by_length = sorted(range(len(texts)), key=lambda i: len(encodings[i]))  # neighbours need little padding
        for first in range(0, len(by_length), MINI_BATCH):
            batch = by_length[first : first + MINI_BATCH]
            vectors[batch] = self._pooled([encodings[i] for i in batch])
            progress(first + len(batch), len(texts))
        return vectors

    def _pooled(self, encodings: Sequence[Encoding]) -> Vectors:
        """Mean of the token vectors, scaled to length 1: float32, shape [len(encodings), 384]."""
        lengths = np.array([len(encoding) for encoding in encodings], np.int32)
        ids = np.zeros((len(encodings), int(lengths.max())), np.int32)  # 0 is [PAD]
        for row, encoding in zip(ids, encodings, strict=True):
            row[: len(encoding)] = encoding.ids
        view = ctranslate2.StorageView.from_array
        output = self._encoder.forward_batch(view(ids), view(lengths))
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        sums = np.einsum("bth,bt->bh", np.array(output.last_hidden_state), mask.astype(np.float32))
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)
