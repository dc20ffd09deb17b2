"""Which files of a repository llama.cpp can use, as they are or once they are converted.

A repository often holds the same model a dozen times, in GGUF files of other quantizations. Whoever names none means
one that runs here: of those that people use, the first that fits into memory is taken, and which is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kubeai_notebook.core.memory import memory_of
from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LORA_FILES = ("adapter_config.json", "adapter_model.safetensors")
BERT_FILES = ("config.json", "vocab.txt", "model.safetensors")
POOLING = "1_Pooling/config.json"
_BERT_DETAILS = (POOLING, "modules.json", "tokenizer_config.json")
_TOKENIZER_FILES = (
    *(
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "special_tokens_map.json",
    ),
    *("added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja", "chat_template.json"),
    *(POOLING, "modules.json", "sentence_bert_config.json"),
)
PREFERRED = ("Q4_K_M", "Q4_0", "Q8_0")
"""Small and good, small, nearly lossless: the order in which a quantization is taken that nobody names."""
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf")
_QUANTIZATION = re.compile(r"(?<![A-Za-z0-9])(I?Q[0-9](?:_[A-Za-z0-9]+)*|BF16|FP?16|F32|MXFP4)(?![A-Za-z0-9])", re.I)
# Of a vision model, and of the making of quantizations: no model of their own.
_BESIDE = ("mmproj", "imatrix")
LARGEST_BYTES = 2**53
"""Of one file: JSON's numbers are exact up to here, and no disk holds more."""

Form = Literal["gguf", "bert", "adapter", "safetensors"]


@dataclass(frozen=True, slots=True)
class HubName:
    """``org/repo``, and what follows it in a url: ``/file.gguf`` or ``:QUANTIZATION``."""

    repository: str
    file: str = ""
    quantization: str = ""


def size_of(value: object) -> int:
    """The bytes that a source lists for a file. ValueError where that is no size."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_BYTES:
        raise ValueError("a file has no size")
    return value


def hub_name(reference: str) -> HubName:
    """Read what an ``hf://`` url says behind its scheme.

    >>> hub_name("org/repo:Q4_K_M")
    HubName(repository='org/repo', file='', quantization='Q4_K_M')
    """
    first, _, rest = reference.partition("/")
    name, _, file = rest.partition("/")
    name, _, quantization = name.partition(":")
    return HubName(f"{first}/{name}", file.strip("/"), quantization)


@dataclass(frozen=True, slots=True)
class Choice:
    """The files to take, and in which form they hold the model."""

    files: tuple[str, ...]
    form: Form
    bytes: int = 0
    note: str = ""
    """Which was taken of several; ``""`` where there was no choice."""


def usable_files(
    sizes: Mapping[str, int],
    kind: str,
    *,
    where: str,
    wanted: HubName | None = None,
    memory_bytes: float = float("inf"),
    model_type: str | None = None,
) -> Choice:
    """Choose among the files of a repository or folder.

    Args:
        sizes: bytes by name.
        kind: ``model`` or ``adapter``.
        where: the url, for sentences.
        wanted: a file or a quantization that the url names.
        memory_bytes: what is free for the model.
        model_type: as its ``config.json`` says, where that is known.

    Raises:
        LocalError: none can be used, or several can and nothing tells which.
    """
    models = _models(sizes)
    if wanted and (wanted.file or wanted.quantization):
        return _named(models, sizes, wanted, where=where)
    if len(models) == 1:
        return _taken(models[0], sizes)
    if kind == "adapter":
        if all(name in sizes for name in LORA_FILES):
            return Choice(LORA_FILES, "adapter", _sum(LORA_FILES, sizes))
        raise LocalError(f"{where} holds no files of a LoRA adapter: {' and '.join(LORA_FILES)}.")
    if models:
        return _preferred(models, sizes, where=where, memory_bytes=memory_bytes)
    return _convertible(sizes, where=where, model_type=model_type)


def quantization_of(file: str) -> str:
    """What a GGUF file's name says of it, in capitals; ``""`` where it says nothing.

    >>> quantization_of("qwen2.5-0.5b-instruct-q4_k_m.gguf")
    'Q4_K_M'
    """
    stem = file.rpartition("/")[2].removesuffix(".gguf")
    split = _SPLIT.fullmatch(f"{stem}.gguf")
    named = _QUANTIZATION.findall(split["stem"] if split else stem)
    return named[-1].upper() if named else ""


def _models(sizes: Collection[str]) -> list[tuple[str, ...]]:
    """The GGUF files, those that are parts of one model together; one that lacks a part is left out."""
    models: dict[str, list[str]] = {}
    for name in sorted(sizes):
        if name.endswith(".gguf") and not any(word in name.lower() for word in _BESIDE):
            split = _SPLIT.fullmatch(name)
            models.setdefault(split["stem"] if split else name, []).append(name)
    parts = ((files, _SPLIT.fullmatch(files[0])) for files in models.values())
    return [tuple(files) for files, split in parts if split is None or int(split["count"]) == len(files)]


def _named(models: list[tuple[str, ...]], sizes: Mapping[str, int], wanted: HubName, *, where: str) -> Choice:
    if wanted.file:
        files = next((files for files in models if wanted.file in files), (wanted.file,))
        if sizes and wanted.file not in sizes:
            raise LocalError(f'{where} holds no file "{wanted.file}".{_listed(models)}')
        return _taken(files, sizes)
    fitting = [files for files in models if quantization_of(files[0]) == wanted.quantization.upper()]
    if len(fitting) != 1:
        count = "no" if not fitting else f"{len(fitting)}"
        raise LocalError(f"{where} holds {count} .gguf files of {wanted.quantization}.{_listed(models)}")
    return _taken(fitting[0], sizes)


def _preferred(models: list[tuple[str, ...]], sizes: Mapping[str, int], *, where: str, memory_bytes: float) -> Choice:
    """The first of the preferred that fits; else the largest other that fits, else the smallest."""
    named = [files for files in models if quantization_of(files[0])]
    if not named:
        raise LocalError(f"{where} holds {len(models)} .gguf files.", f"Name one: {where}/{models[0][0]}.")
    by_size = sorted(named, key=lambda files: _sum(files, sizes))
    fitting = [files for files in by_size if memory_of(_sum(files, sizes)) <= memory_bytes]
    ordered = [files for quantization in PREFERRED for files in fitting if quantization_of(files[0]) == quantization]
    taken = (ordered or fitting[::-1] or by_size)[0]
    note = f"Of {len(models)} GGUF models in {where}, {quantization_of(taken[0])} is taken: {taken[0]}."
    return _taken(taken, sizes, note=note)


def _convertible(sizes: Mapping[str, int], *, where: str, model_type: str | None) -> Choice:
    """A repository without GGUF files: BERT is converted as it is, all else by llama.cpp's own converter."""
    if model_type in (None, "bert") and all(name in sizes for name in BERT_FILES):
        files = (*BERT_FILES, *(name for name in _BERT_DETAILS if name in sizes))
        return Choice(files, "bert", _sum(files, sizes))
    tensors = [name for name in sorted(sizes) if name.endswith(".safetensors") and "/" not in name]
    # Mistral's repositories hold their model twice.
    tensors = [name for name in tensors if not name.startswith("consolidated")] or tensors
    if not tensors or "config.json" not in sizes:
        raise LocalError(
            f"{where} holds no .gguf file and no safetensors, and llama.cpp, which stands in here, loads nothing else."
        )
    index = [name for name in sizes if name.endswith(".safetensors.index.json") and "/" not in name]
    files = ("config.json", *tensors, *index, *(name for name in _TOKENIZER_FILES if name in sizes))
    return Choice(files, "safetensors", _sum(files, sizes))


def _taken(files: tuple[str, ...], sizes: Mapping[str, int], *, note: str = "") -> Choice:
    return Choice(files, "gguf", _sum(files, sizes), note)


def _sum(files: Collection[str], sizes: Mapping[str, int]) -> int:
    return sum(sizes.get(name, 0) for name in files)


def _listed(models: list[tuple[str, ...]]) -> str:
    names = [quantization_of(files[0]) or files[0] for files in models]
    return f" It holds {', '.join(names[:12])}." if names else ""
