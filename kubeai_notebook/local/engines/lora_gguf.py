"""A LoRA adapter as PEFT writes it, turned into the GGUF file that llama.cpp loads on top of its base."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("adapter_config.json", "adapter_model.safetensors")
# What llama.cpp calls a Llama's projections, inside a block.
_PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_TENSOR = re.compile(r"model\.layers\.(?P<block>\d+)\.(?P<part>[\w.]+)\.lora_(?P<side>[AB])\.(default\.)?weight$")


def adapter_file(path: Path, *, base: Path, target: Path) -> Path:
    """Return a GGUF adapter: the file itself, the one in the folder, or ``target`` converted from PEFT's two files.

    Whether it fits the base is llama.cpp's to say.

    Raises:
        LocalError: it is no adapter, or one with parts that have no place in a Llama.
    """
    if path.is_file():
        return path
    found = sorted(path.glob("*.gguf"))
    if len(found) == 1:
        return found[0]
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:
        raise LocalError(f"{path} holds no LoRA adapter: {' and '.join(missing)} is missing.")
    _convert(path, base=base, target=target)
    return target


def _convert(folder: Path, *, base: Path, target: Path) -> None:
    import gguf
    from safetensors import safe_open

    config = json.loads((folder / FILES[0]).read_text())
    architecture, heads, key_heads = _base_facts(base)
    writer = gguf.GGUFWriter(target, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    alpha = float(config["lora_alpha"])
    # llama.cpp scales by alpha / rank; rank-stabilised adapters were trained with alpha / sqrt(rank).
    writer.add_float32("adapter.lora.alpha", alpha * config["r"] ** 0.5 if config.get("use_rslora") else alpha)
    with safe_open(folder / FILES[1], "np") as tensors:
        for name in tensors.keys():  # noqa: SIM118  (it is no dict)
            match = _TENSOR.search(name)
            if match is None or match["part"] not in _PARTS:
                raise LocalError(f"The adapter changes {name}, which has no place in a Llama on llama.cpp.")
            part, side = _PARTS[match["part"]], match["side"]
            tensor = tensors.get_tensor(name).astype("float32")
            if side == "B" and part in ("attn_q", "attn_k"):
                tensor = _permuted(tensor, heads if part == "attn_q" else key_heads)
            writer.add_tensor(f"blk.{match['block']}.{part}.weight.lora_{side.lower()}", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _base_facts(base: Path) -> tuple[str, int, int]:
    """Architecture, heads and key-value heads of the GGUF file below."""
    import gguf

    fields = gguf.GGUFReader(base).fields
    architecture = str(fields["general.architecture"].contents())
    heads = int(fields[f"{architecture}.attention.head_count"].contents())
    key_heads = fields.get(f"{architecture}.attention.head_count_kv")
    return architecture, heads, int(key_heads.contents()) if key_heads else heads


def _permuted(tensor: Any, heads: int) -> Any:
    """Rows in the order that llama.cpp's rotary embedding wants; as they are where they cannot be of this base."""
    rows, columns = tensor.shape
    if rows % (2 * heads):
        return tensor
    return tensor.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
