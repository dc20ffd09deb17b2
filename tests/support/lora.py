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


def write_lora(folder: Path, *, seed: int, hidden: int = HIDDEN) -> Path:
    """A LoRA for SmolLM2 as PEFT writes one: random, but the same for a seed."""
    numbers = np.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        for part, rows in (("self_attn.q_proj", hidden), ("self_attn.v_proj", KEYS), ("self_attn.k_proj", KEYS)):
            name = f"base_model.model.model.layers.{layer}.{part}"
            tensors[f"{name}.lora_A.weight"] = numbers.normal(0, 0.3, (RANK, hidden)).astype("float32")
            tensors[f"{name}.lora_B.weight"] = numbers.normal(0, 0.3, (rows, RANK)).astype("float32")
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "k_proj", "v_proj"],
        "base_model_name_or_path": BASE,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
