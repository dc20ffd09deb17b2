"""Values that the engine takes for no model, for no model of this kind, or not together."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import name_of, value_of
from kubeai_notebook.core.diagnosis.engine.remedies import (
    advise,
    drop_argument,
    drop_env,
    set_argument,
    set_env,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule

from .engine_args import refused
from .number_types import NUMBER_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.diagnosis.engine.case import Case


def _of_mistral(case: Case) -> dict[str, str]:
    """The arguments that ask for Mistral's format; each of them can ask for another thing."""
    names = ("--tokenizer-mode", "--config-format", "--load-format")
    return {"of_mistral": " ".join(name for name in names if value_of(case.scene.args, name) == "mistral")}


def _strings(value: object) -> Iterator[str]:
    """The texts that a setting holds, deep in its JSON too; not the names of its keys."""
    if isinstance(value, dict):
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from _strings(part)
    if isinstance(value, str):
        yield value


def _texts_of(value: str) -> list[str]:
    try:
        held = json.loads(value)
    except ValueError:
        held = value
    parts = (part for text in _strings(held) for part in {text, *text.split(":")})
    return [part for part in parts if len(part) > 2 and part not in ("auto", "none", "model", "true")]


def holding(case: Case, sentence: str) -> str:
    """The argument of the Model that holds a text of which the sentence speaks."""
    names = (name_of(item) for item in case.scene.args)
    words = _BETWEEN_WORDS.sub(" ", f" {sentence} ")
    for name in names:
        if any(f" {text} " in words for text in _texts_of(value_of(case.scene.args, name) or "")):
            return name
    return ""


_BETWEEN_WORDS = re.compile(r"[^\w./-]+")


def _trips_over_the_model(case: Case) -> bool:
    return "for modelconfig" in case.above(4) and _PYTHON_ONLY.search(case.line) is not None


def _named_argument(case: Case) -> dict[str, str]:
    """The argument of the Model that the refusal speaks of: in any spelling, or by what it holds."""
    said = re.findall(r"[a-z][a-z0-9]+(?:[_-][a-z0-9]+)+|(?<=--)[a-z]+", case.values.get("why", ""))
    known = (f"--{word.replace('_', '-')}" for word in said)
    named = next((name for name in known if value_of(case.scene.args, name) is not None), "")
    return {"argument": named or holding(case, case.values.get("why", "").rstrip("."))}


def _no_member(case: Case) -> dict[str, str]:
    """The argument whose text is no member of an enumeration, which Python only looks up."""
    value = case.values.get("value", "")
    return {"argument": holding(case, value) if "_member_map_" in case.above(3) else ""}


def _no_such_part(case: Case) -> dict[str, str]:
    """The argument that names a part of a Python module, which the module does not have."""
    whole = {case.values.get("module", "") + between + case.values.get("part", "") for between in ".:"}
    names = (name_of(item) for item in case.scene.args)
    return {"argument": next((name for name in names if value_of(case.scene.args, name) in whole), "")}


_PYTHON_ONLY = re.compile(
    r"values to unpack|object (?:has no|is not|does not)|index out of range|unhashable|positional argument"
)
"""A slip of the engine's own code over something that it did not expect in a file of the model."""

_LET_IT_CHOOSE = (
    drop_argument("--attention-backend", "--attention-config", title="Let the engine choose: remove {argument}."),
    drop_env("VLLM_ATTENTION_BACKEND"),
)

VALUES: tuple[Rule, ...] = (
    refused(
        seen=("AttributeError: module '… has no attribute '",),
        only=lambda case: case.has_ended and bool(_no_such_part(case)["argument"]),
        take=(r"^AttributeError: module '(?P<module>[\w.]{1,120})' has no attribute '(?P<part>\w{1,80})'",),
        derive=_no_such_part,
        message=(
            '{argument} names "{part}" of the Python module {module}, which has no such part.',
            "A setting names a part of a Python module that the module does not have.",
        ),
        remedies=(drop_argument("{argument}"), advise("Correct the value of {argument}.", "Correct the value.")),
    ),
    refused(
        seen=("KeyError: '",),
        only=lambda case: case.has_ended and bool(_no_member(case)["argument"]),
        take=(r"KeyError: '(?P<value>[^']{1,80})'",),
        derive=_no_member,
        message=('The engine knows no "{value}", which {argument} asks for.', "A setting has an unknown value."),
        remedies=(drop_argument("{argument}"), advise("Correct the value of {argument}.", "Correct the value.")),
    ),
    refused(
        seen=("Cannot re-initialize CUDA in forked subprocess",),
        message=("vLLM's worker processes were forked after CUDA was started, which CUDA does not allow.",),
        remedies=(set_env("VLLM_WORKER_MULTIPROC_METHOD", "spawn", "Start them anew in its place: env.{variable}."),),
    ),
    refused(
        seen=("failed to initialize the context: n_ctx",),
        message=("The context that is set has no room for a single token of each request.",),
        remedies=(
            drop_argument("--ctx-size", "--max-model-len", title="Let the engine choose it: remove {argument}."),
            drop_env("OLLAMA_CONTEXT_LENGTH", "LLAMA_ARG_CTX_SIZE"),
            advise("Set a context of some hundred tokens at least."),
        ),
    ),
    refused(
        seen=(
            "V cache … requires flash_attn",
            "failed to initialize the context: ",
            "server is built without SSL support",
            "the supplied chat template is not supported",
            "chat template parsing error",
        ),
        unless=("memory", "alloc"),
        take=(
            r"(?P<why>V cache[\w ]{0,30} requires \w+|chat template is not supported: \S+)",
            r"(?P<why>chat template parsing error|server is built without SSL support)",
            r"initialize the context: (?P<why>.{1,200}?)\.?$",
        ),
        message=("llama.cpp refuses one of its settings: {why}.", "llama.cpp refuses one of its settings."),
        remedies=(
            drop_env("OLLAMA_KV_CACHE_TYPE", "LLAMA_ARG_CACHE_TYPE_V", "LLAMA_ARG_CHAT_TEMPLATE"),
            advise("Correct what it speaks of in args or env."),
        ),
    ),
    refused(
        seen=("ValueError: unsupported device", "ValueError: Invalid compute type", "Error: unsupported compute type"),
        take=(r"(?:device|compute type):? (?P<value>\S+)",),
        message=('The engine knows no "{value}".', "The engine does not know the device or the type that is set."),
        remedies=(
            drop_env("WHISPER__INFERENCE_DEVICE", "WHISPER__COMPUTE_TYPE"),
            advise("Use device auto, cpu or cuda, and compute type default, int8, float16 or float32."),
        ),
    ),
    Rule(
        code="MaxNumBatchedTokensTooSmall",
        seen=("max_tokens_per_mm_item",),
        take=(
            r"max_tokens_per_mm_item \((?P<item>\d+)\)",
            r"max_num_batched_tokens \((?P<batched>\d+)\)",
        ),
        message=(
            "--max-num-batched-tokens is {batched}, less than the {item} tokens of one picture or sound.",
            "--max-num-batched-tokens is less than the tokens of one picture or sound.",
        ),
        who="user",
        remedies=(
            set_argument("--max-num-batched-tokens", "{item}"),
            advise("Set a larger --max-num-batched-tokens.", unless="item"),
        ),
    ),
    Rule(
        code="MaxNumBatchedTokensTooSmall",
        seen=("must be greater than or equal to max_num_seqs",),
        take=(r"max_num_batched_tokens \((?P<batched>\d+)\)", r"max_num_seqs \((?P<sequences>\d+)\)"),
        message=(
            "--max-num-batched-tokens is {batched}, less than the {sequences} requests that may run at once.",
            "--max-num-batched-tokens is less than the requests that may run at once.",
        ),
        who="user",
        remedies=(
            set_argument("--max-num-seqs", "{batched}"),
            set_argument("--max-num-batched-tokens", "{sequences}", "Or set {argument}."),
            advise("Set a larger --max-num-batched-tokens, or a smaller --max-num-seqs.", unless="batched"),
        ),
    ),
    refused(
        seen=(
            "Failed to load mistral 'params.json'",
            "Make sure that a Mistral tokenizer is present",
            "Error: No tokenizer file found",
        ),
        message=("The arguments ask for Mistral's own file format, but the repository is in the hub's.",),
        remedies=(
            drop_argument("{of_mistral}"),
            advise("Remove what asks for Mistral's format; or take a repository that holds params.json."),
        ),
        derive=_of_mistral,
    ),
    refused(
        seen=(
            "kv-cache is not supported with fp8",
            "with FP8 KV cache not",
            "Unsupported kv cache dtype",
            "kv_cache_dtype … is not supported",
        ),
        message=("The engine cannot keep the cache of this model in the type that --kv-cache-dtype asks for.",),
        remedies=(
            drop_argument("--kv-cache-dtype", title="Use the engine's own choice: remove {argument}."),
            advise("Use the engine's own choice: remove --kv-cache-dtype wherever it is set."),
        ),
    ),
    refused(
        seen=("ValueError: Unable to configure ",),
        only=lambda case: case.has_ended and "logging/config.py" in case.above(4),
        take=(r"Unable to configure (?P<part>[\w ]{1,40} '[^']{1,60}'|[\w ]{1,40})",),
        message=(
            "The engine cannot set up its log as it is told to: {part} of that configuration is wrong.",
            "The engine cannot set up its log as it is told to.",
        ),
        remedies=(
            drop_env("VLLM_LOGGING_STREAM", "VLLM_LOGGING_CONFIG_PATH"),
            drop_argument("--log-config-file", "--logging-config"),
            advise("Correct what sets up the log; the lines above say what is wrong in it."),
        ),
    ),
    refused(
        seen=("only pre-sharded checkpoints are currently supported",),
        message=(
            "--load-format=sharded_state reads weights that vLLM itself has saved in shards, and there are none.",
        ),
        remedies=(
            drop_argument("--load-format"),
            advise("Remove --load-format, or name a folder with such shards."),
        ),
    ),
    refused(
        seen=("Engines must have unique model names",),
        message=("Infinity is to serve several models, and two of them under one name.",),
        remedies=(advise("Name one model in INFINITY_MODEL_ID, and serve each other one as a Model of its own."),),
    ),
    refused(
        seen=("limit_mm_per_prompt` is only supported",),
        message=(
            "--limit-mm-per-prompt is for models that take pictures, sounds or films; this engine reads text here.",
        ),
        remedies=(
            drop_argument("--limit-mm-per-prompt"),
            advise("If the model does take them: set image to a newer release, which knows that."),
        ),
    ),
    refused(
        seen=("VLLM_USE_V1=1 is not supported",),
        take=(r"is not supported with (?P<what>.+?)\.?$",),
        message=(
            "The V1 engine of this release does not support {what}.",
            "The V1 engine of this release does not support what is asked of it.",
        ),
        remedies=(
            set_env("VLLM_USE_V1", "0", "Use the older engine: env.{variable}."),
            advise("Or set image to a newer release."),
        ),
    ),
    refused(
        seen=("only supports V1", "V0 … is deprecated … VLLM_USE_V1", "VLLM_USE_V1=0 is not supported"),
        message=("This release of vLLM has its newer engine (V1) only, and VLLM_USE_V1 asks for the older.",),
        remedies=(drop_env("VLLM_USE_V1"), advise("Remove VLLM_USE_V1 wherever it is set.")),
    ),
    refused(
        seen=("Invalid attention backend", "Unknown attention backend"),
        take=(r"backend:? '?(?P<backend>\w+)", r"Valid options are: (?P<choices>.{1,200})"),
        message=(
            'There is no attention backend "{backend}" in this engine.',
            "There is no such attention backend in this engine.",
        ),
        remedies=(
            *_LET_IT_CHOOSE,
            advise("Or set it to one of: {choices}", "Or set it to one that this engine has."),
        ),
    ),
    refused(
        seen=("FileNotFoundError: [Errno 2]", "ssl.SSLError: ", "PermissionError: [Errno 13]"),
        only=lambda case: "load_cert_chain" in case.above(6) or "load_verify_locations" in case.above(6),
        message=("The engine cannot read the certificate or the key that its arguments for TLS name.",),
        remedies=(
            drop_argument("--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs"),
            advise("Remove them: KubeAI asks an engine by http; TLS belongs to the ingress in front of KubeAI."),
        ),
    ),
    refused(
        seen=(
            "Selected backend … is not valid for this configuration",
            "backend … does not support attention sinks",
        ),
        take=(r"backend:? '?(?:AttentionBackendEnum\.)?(?P<backend>[A-Z][A-Z0-9_]+)\b", r"(?P<backend>\w+) backend"),
        message=(
            "The attention backend {backend} cannot serve this model on this GPU.",
            "The attention backend that is set cannot serve this model on this GPU.",
        ),
        remedies=(
            *_LET_IT_CHOOSE,
            advise("Let the engine choose its attention backend; or set image to a newer release."),
        ),
    ),
    Rule(
        code="MaxNumBatchedTokensTooSmall",
        seen=("is smaller than max_model_len",),
        take=(r"max_num_batched_tokens \((?P<batched>\d+)\) is smaller than max_model_len \((?P<length>\d+)\)",),
        message=(
            "--max-num-batched-tokens is {batched}, less than the {length} tokens of one request.",
            "--max-num-batched-tokens is less than the tokens of one request.",
        ),
        who="user",
        remedies=(
            set_argument("--max-num-batched-tokens", "{length}"),
            set_argument("--max-model-len", "{batched}", "Or set {argument}."),
            advise("Set --max-num-batched-tokens to at least the length of a request.", unless="length"),
        ),
    ),
    Rule(
        code="MaxModelLenTooLarge",
        seen=("greater than the derived max_model_len",),
        take=(
            r"max_model_len \((?P<asked>\d+)\)",
            r"(?:max_position_embeddings|max_seq_len|n_positions|max_length|model_max_length)\w{0,40}=(?P<limit>\d+)",
            r"derived max_model_len \((?:\w+=)?(?P<limit>\d+)",
        ),
        message=(
            "{weights} can take at most {limit} tokens, but --max-model-len asks for {asked}.",
            "The model can take at most {limit} tokens, but --max-model-len asks for more.",
            "--max-model-len asks for more tokens than the model can take.",
        ),
        who="user",
        remedies=(
            set_argument("--max-model-len", "{limit}"),
            advise("Set --max-model-len to what the model can take.", unless="limit"),
            drop_argument("--max-model-len", title="Or remove {argument}: the model knows its length."),
        ),
    ),
    Rule(
        code="ChatTemplateFileMissing",
        seen=("appears path-like, but doesn't exist", "chat template … but it failed to be opened"),
        take=(r"(?:string|template) \((?P<path>[^)]+)\)",),
        message=(
            "--chat-template names {path}, which is not in the container.",
            "--chat-template names a file that is not in the container.",
        ),
        who="user",
        remedies=(
            advise("Add the template to files with the path {path}.", "Add the template to files."),
            drop_argument("--chat-template", title="Or use the model's own template: remove {argument}."),
        ),
    ),
    *NUMBER_TYPES,
)

ENDS_AT_ONCE: tuple[Rule, ...] = (
    refused(
        seen=("Preloaded configuration successfully",),
        message=("Infinity ends as soon as it has loaded its model: INFINITY_PRELOAD_ONLY is on.",),
        remedies=(
            drop_env("INFINITY_PRELOAD_ONLY"),
            drop_argument("--preload-only"),
            advise("Remove INFINITY_PRELOAD_ONLY or --preload-only wherever it is set."),
        ),
    ),
)
"""What makes an engine end, and well, that should serve."""

REFUSED_SETTINGS: tuple[Rule, ...] = (
    refused(
        seen=("Value error, ", " [type="),
        only=lambda case: "validation error" in case.above(4) and not _trips_over_the_model(case),
        take=(r"Value error, (?P<why>.+?)\.?(?: \[type=|$)", r"^(?P<why>.+?)\.? \[type="),
        message=(
            "The engine refuses its settings for this model: {why}.",
            "The engine refuses its settings for this model.",
        ),
        derive=_named_argument,
        remedies=(
            drop_argument("{argument}"),
            advise("Correct the args or env that it speaks of; or choose another model, or a newer image."),
        ),
    ),
)
"""What the engine's own configuration refuses, in whatever words: behind all rows that know the words."""
