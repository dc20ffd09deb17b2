"""What llama.cpp loads, made of what the hub holds: a BERT embedding model, a LoRA adapter, as GGUF files.

Vectors are normalised whatever ``modules.json`` says: Infinity does that for every model, and so does llama.cpp. A
model that llama.cpp would read otherwise than it was trained is refused, because its vectors would be wrong in silence.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from safetensors import SafetensorError, deserialize, safe_open

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.weight_files import LORA_FILES, POOLING

from .gguf_header import header_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SPACE = "\u2581"
_SPECIAL = {"[PAD]": "pad", "[UNK]": "unk", "[CLS]": "bos", "[SEP]": "sep", "[MASK]": "mask"}
_POOLING = {"mean": "MEAN", "mean_tokens": "MEAN", "cls": "CLS", "cls_token": "CLS"}
"""llama.cpp's names for what sentence-transformers calls pooling modes, in its old and its new settings."""
_MODULES = ("Transformer", "Pooling", "Normalize")
_LARGE = ("word_embeddings", "attention.self", "attention.output.dense", "intermediate", "output.dense")


def converted(folder: Path, target: Path) -> Path:
    """Write a BERT model of safetensors as ``target``. LocalError when the folder holds another architecture."""
    config = json.loads((folder / "config.json").read_text())
    if config.get("model_type") != "bert":
        raise LocalError(f"{folder} holds a {config.get('model_type')} model; only BERT ones can be converted.")
    pooling = _pooling(folder)
    writer = gguf.GGUFWriter(target, "bert")
    writer.add_name(folder.name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType[pooling])
    _add_vocabulary(writer, (folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    for name, tensor in _tensors(folder / "model.safetensors"):
        plain = name.removeprefix("bert.")
        if (known := names.get_name(plain, (".weight", ".bias"))) is not None:
            writer.add_tensor(known, _as_stored(plain, tensor))
    _written(writer)
    return target


def _add_vocabulary(writer: Any, words: list[str]) -> None:
    """WordPiece as llama.cpp wants it: pieces that go on are bare, words begin with U+2581."""
    control = {word for word in words if word.startswith("[") and word.endswith("]") and len(word) > 2}
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(2)
    writer.add_token_list([word if word in control else _piece(word) for word in words])
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if word in control else kinds.NORMAL for word in words])
    for word, role in _SPECIAL.items():
        if word in control:
            getattr(writer, f"add_{role}_token_id")(words.index(word))


def _piece(word: str) -> str:
    return word[2:] if word.startswith("##") else _SPACE + word


def _as_stored(name: str, tensor: Any) -> Any:
    """Large matrices in half precision, everything else whole."""
    large = name.endswith(".weight") and tensor.ndim == 2 and any(part in name for part in _LARGE)
    return tensor.astype("float16" if large else "float32")


def _pooling(folder: Path) -> str:
    """How the vectors of a text's tokens become one. LocalError where llama.cpp would do something else."""
    modules = _settings(folder / "modules.json", [])
    for kind in (str(module.get("type", "")).rpartition(".")[2] for module in modules):
        if kind not in _MODULES:
            raise LocalError(f"Its vectors pass a module {kind}, which llama.cpp has not.", "Use engine Infinity.")
    if _settings(folder / "tokenizer_config.json", {}).get("do_lower_case") is False:
        raise LocalError("Its tokenizer keeps capital letters, and llama.cpp's does not.", "Use engine Infinity.")
    settings = _settings(folder / POOLING, {})
    chosen = [key.removeprefix("pooling_mode_") for key, value in settings.items() if value is True]
    modes = [mode for mode in (settings.get("pooling_mode"), *chosen) if mode and mode != "include_prompt"]
    if len(modes) > 1 or not set(modes) <= set(_POOLING):
        raise LocalError(f"It pools by {' and '.join(modes)}, which llama.cpp does not.", "Use engine Infinity.")
    return _POOLING[modes[0]] if modes else "MEAN"


def _settings(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else otherwise


def _tensors(path: Path) -> Iterator[tuple[str, Any]]:
    """The tensors of a file by name. numpy has no bfloat16: its bits are the upper half of a float32's."""

    @cache
    def raw() -> dict[str, Any]:
        return dict(deserialize(path.read_bytes()))  # type: ignore[no-untyped-call]  # safetensors is

    with safe_open(path, "np") as tensors:
        for name in tensors.keys():  # noqa: SIM118  (it is no dict)
            if tensors.get_slice(name).get_dtype() != "BF16":
                yield name, tensors.get_tensor(name)
                continue
            halves = np.frombuffer(raw()[name]["data"], "<u2").astype("<u4")
            yield name, (halves << 16).view("<f4").reshape(raw()[name]["shape"])


def adapter_file(path: Path, *, base: Path, target: Path) -> Path:
    """Return a GGUF adapter: the file itself, the one in the folder, or ``target`` converted from PEFT's two files.

    Whether it fits the base is llama.cpp's to say.

    Raises:
        LocalError: it is no adapter, or one with parts that have no place in its base.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.gguf"))
    if len(files) == 1:
        return files[0]
    missing = [name for name in LORA_FILES if not (path / name).is_file()]
    if missing:
        raise LocalError(f"{path} holds no LoRA adapter: {' and '.join(missing)} is missing.")
    scale, fields = _lora_scale(path / LORA_FILES[0]), header_of(base)
    architecture = fields["general.architecture"]
    writer = gguf.GGUFWriter(target, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", scale)
    kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(kinds[architecture], fields[f"{architecture}.block_count"])
    heads = fields[f"{architecture}.attention.head_count"]
    permuted = {"attn_q": heads, "attn_k": fields.get(f"{architecture}.attention.head_count_kv", heads)}
    for name, stored in _lora_tensors(path / LORA_FILES[1]):
        part, _, side = name.removeprefix("base_model.model.").partition(".lora_")
        if (known := names.get_name(part)) is None or side[:1] not in ("A", "B") or stored.ndim != 2:
            raise LocalError(f"The adapter changes {name}, which has no place in a {architecture} on llama.cpp.")
        tensor, kind = stored.astype("float32"), known.rpartition(".")[2]
        if side[0] == "B" and kind in permuted and architecture == "llama":
            tensor = _permuted(tensor, permuted[kind])
        writer.add_tensor(f"{known}.weight.lora_{side[0].lower()}", tensor)
    _written(writer)
    return target


def _lora_scale(path: Path) -> float:
    """What llama.cpp divides by the rank; rank-stabilised adapters were trained with alpha / sqrt(rank)."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        alpha, rank = float(config["lora_alpha"]), float(config["r"])
        return alpha * rank**0.5 if config.get("use_rslora") else alpha
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise LocalError(f"{path.name} of the adapter states no scale: lora_alpha and r are numbers.") from error


def _lora_tensors(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        yield from _tensors(path)
    except SafetensorError as error:
        raise LocalError(f"{path.name} of the adapter is damaged: {error}.") from error


def _permuted(tensor: Any, heads: int) -> Any:
    """Rows in the order that llama.cpp's rotary embedding wants; as they are where they cannot be of this base."""
    rows, columns = tensor.shape
    if rows % (2 * heads):
        return tensor
    return tensor.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _written(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
