"""A LoRA adapter that a test can load: of the right shapes, and of no use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file

if TYPE_CHECKING:
    from pathlib import Path

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
HIDDEN, KEYS, LAYERS, RANK = 576, 192, 30, 4


def write_lora(folder: Path, *, seed: int, hidden: int = HIDDEN, bfloat16: bool = False) -> Path:
    """A LoRA for SmolLM2 as PEFT writes one: random, but the same for a seed, and in both kinds of numbers."""
    numbers = np.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        for part, rows in (("self_attn.q_proj", hidden), ("self_attn.v_proj", KEYS), ("self_attn.k_proj", KEYS)):
            name = f"base_model.model.model.layers.{layer}.{part}"
            tensors[f"{name}.lora_A.weight"] = numbers.normal(0, 0.3, (RANK, hidden)).astype("float32")
            tensors[f"{name}.lora_B.weight"] = numbers.normal(0, 0.3, (rows, RANK)).astype("float32")
    folder.mkdir()
    # A bfloat16 is the upper half of a float32, whose lower half is left empty here.
    halves = {name: (tensor.view("<u4") >> 16) for name, tensor in tensors.items()}
    file = folder / "adapter_model.safetensors"
    if bfloat16:
        _write_bfloat16(file, halves)
    else:
        save_file({name: (half << 16).view("float32") for name, half in halves.items()}, file)
    config = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "k_proj", "v_proj"],
        "base_model_name_or_path": BASE,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def _write_bfloat16(file: Path, halves: dict[str, np.ndarray]) -> None:
    """The format itself, because numpy has no such type: a length, a header in JSON, the tensors one after another."""
    header: dict[str, object] = {}
    data = b""
    for name, half in halves.items():
        content = half.astype("<u2").tobytes()
        places = [len(data), len(data) + len(content)]
        header[name] = {"dtype": "BF16", "shape": list(half.shape), "data_offsets": places}
        data += content
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)
