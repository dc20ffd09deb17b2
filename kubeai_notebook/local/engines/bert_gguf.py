"""A BERT embedding model in safetensors, as the GGUF file that llama.cpp loads."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("config.json", "vocab.txt", "model.safetensors")
"""What a folder must hold; ``1_Pooling/config.json`` is read where there is one."""
_SPACE = "\u2581"
_SPECIAL = {"[PAD]": "pad", "[UNK]": "unk", "[CLS]": "bos", "[SEP]": "sep", "[MASK]": "mask"}
_LARGE = ("word_embeddings", "attention.self", "attention.output.dense", "intermediate", "output.dense")


def converted(folder: Path, cache: Path) -> Path:
    """Return the GGUF file made of this folder: an earlier one whose checksum still holds, or a new one.

    Raises:
        LocalError: the folder holds another architecture, or less than the files above.
    """
    digest = _sha256(folder / "model.safetensors")
    target = cache / f"{digest[:12]}-converted.gguf"
    note = target.with_suffix(".sha256")
    if target.exists() and note.exists() and note.read_text() == _sha256(target):
        return target
    fresh = target.with_suffix(f".{os.getpid()}.new")
    try:
        _write(folder, fresh)
        note.write_text(_sha256(fresh))
        return fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _write(folder: Path, target: Path) -> None:
    import gguf
    from safetensors import safe_open

    config = json.loads((folder / "config.json").read_text())
    if config.get("model_type") != "bert":
        raise LocalError(f"{folder} holds a {config.get('model_type')} model; only BERT ones can be converted.")
    writer = gguf.GGUFWriter(target, "bert")
    writer.add_name(folder.name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.CLS if _pools_first(folder) else gguf.PoolingType.MEAN)
    _add_vocabulary(writer, (folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    with safe_open(folder / "model.safetensors", "np") as tensors:
        for name in tensors.keys():  # noqa: SIM118  (it is no dict)
            plain = name.removeprefix("bert.")
            if (known := names.get_name(plain, (".weight", ".bias"))) is not None:
                writer.add_tensor(known, _as_stored(plain, tensors.get_tensor(name)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: Any, words: list[str]) -> None:
    """WordPiece as llama.cpp wants it: pieces that go on are bare, words begin with U+2581."""
    import gguf

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


def _pools_first(folder: Path) -> bool:
    """Whether the sentence's vector is that of its first token instead of the mean of all."""
    path = folder / "1_Pooling" / "config.json"
    return path.exists() and bool(json.loads(path.read_text()).get("pooling_mode_cls_token"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
