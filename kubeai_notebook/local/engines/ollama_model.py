"""A model as Ollama keeps it: a GGUF file, and beside it the settings and the system prompt that it is meant to have.

llama.cpp knows none of these files, but has the same settings under other names. It takes the chat template from the
GGUF file; a system prompt is put in front of that template, for conversations that begin without one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeai_notebook.local.emulation.ollama_names import manifest_of

from .gguf_header import MAGIC

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES = 1 << 20
_SAMPLING = {
    **{name: name for name in ("top_k", "top_p", "min_p", "seed", "mirostat", "mirostat_tau", "mirostat_eta")},
    "temperature": "temp",
    "typical_p": "typ_p",
    "repeat_penalty": "penalty_repeat",
    "repeat_last_n": "penalty_last_n",
    "frequency_penalty": "penalty_freq",
    "presence_penalty": "penalty_present",
}
"""llama.cpp's names for what Ollama's settings say about choosing tokens."""
_WHOLE = {"num_predict": "n_predict", "num_keep": "n_keep", "num_gpu": "n_gpu_layers"}


@dataclass(frozen=True, slots=True)
class OllamaModel:
    """Where the weights lie, and how the model's author wants them used."""

    weights: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""

    @property
    def context(self) -> int | None:
        """Tokens for one request, where the author says so."""
        size = self.settings.get("num_ctx")
        return size if isinstance(size, int) and size > 0 else None

    def apply(self, parameters: Any) -> list[str]:
        """Set llama.cpp's parameters; the names of settings that it does not take."""
        ignored = []
        for name, value in self.settings.items():
            try:
                if name == "stop":
                    parameters.antiprompt = [str(text) for text in (value if isinstance(value, list) else [value])]
                elif name in _SAMPLING:
                    setattr(parameters.sampling, _SAMPLING[name], value)
                elif name in _WHOLE:
                    setattr(parameters, _WHOLE[name], value)
                elif name != "num_ctx":
                    ignored.append(name)
            except (TypeError, ValueError, OverflowError):
                ignored.append(name)
        return ignored

    def template(self, template: str) -> str:
        """A chat template that begins with the system prompt, where a conversation has none."""
        if not self.system or not template:
            return template
        prompt = json.dumps(self.system, ensure_ascii=False)
        messages = f"[{{'role': 'system', 'content': {prompt}}}] + messages"
        first = f"{{%- if messages[0]['role'] != 'system' -%}}{{%- set messages = {messages} -%}}{{%- endif -%}}"
        return first + template


def model_at(path: Path) -> OllamaModel:
    """The model at a path: a GGUF file itself, or a manifest in a store with the files that it names."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) == MAGIC:
            return OllamaModel(path)
    try:
        manifest = manifest_of(path.read_bytes()[:MAX_BYTES])
    except ValueError:
        # llama.cpp says best what is wrong with a file.
        return OllamaModel(path)
    blobs = path.parents[4] / "blobs"
    (weights,) = manifest.of("model")
    texts = {kind: _text(blobs / layer.file) for kind in ("params", "system") for layer in manifest.of(kind)}
    try:
        settings = json.loads(texts.get("params", "{}"))
    except ValueError:
        settings = {}
    return OllamaModel(blobs / weights.file, settings if isinstance(settings, dict) else {}, texts.get("system", ""))


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_BYTES).decode("utf-8", "replace")
