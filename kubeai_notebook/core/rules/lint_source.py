"""Traps about where the weights come from, and what engine and features make of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.inference import feature_of
from kubeai_notebook.core.remedy import SetArgument, SetEnv, SetField
from kubeai_notebook.core.source import CLAIM_VARIABLES, LOADABLE, names_gguf

from .subject import Subject, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.core.source import Source

_OFFERED = {
    "OLlama": ("TextGeneration", "TextEmbedding"),
    "VLLM": ("TextGeneration", "TextEmbedding", "Reranking"),
    "Infinity": ("TextEmbedding", "Reranking"),
    "FasterWhisper": ("SpeechToText",),
}
_SWITCHES = ("insecure", "pull")
_LORA = re.compile(r"(^|[-_/])(q?lora|adapter)s?([-_]|$)", re.I)
_BAD_URL = "InvalidModelUrl"


def source_traps(subject: Subject) -> Iterator[Notice]:
    """Everything about url, cache profile, engine and features."""
    source = subject.source
    if source is None:
        message = "KubeAI cannot read this url, and says so in its own log only."
        fix = "Write scheme://name with letters, digits and . _ : / - only, as in hf://org/model."
        yield error("url", _BAD_URL, message, step=fix)
    else:
        yield from _loading(subject, source)
        yield from _parameters(subject, source)
        if source.scheme == "hf":
            yield from _repository(subject, source)
    yield from _features(subject, source)


def _loading(subject: Subject, source: Source) -> Iterator[Notice]:
    engine, cached, scheme = subject.spec.engine, bool(subject.spec.cache_profile), source.scheme
    if scheme not in LOADABLE.get(engine, (scheme,)):
        message = f"{engine} cannot load {scheme}:// urls; its Pods would never become ready."
        able = [name for name, schemes in LOADABLE.items() if scheme in schemes]
        fix = f"Use engine {' or '.join(able)}."
        if engine == "OLlama" and scheme == "hf":
            fix = f"Write ollama://hf.co/{source.reference}:<quantization> if it has GGUF files, or use engine VLLM."
        yield error("url", _BAD_URL, message, step=fix)
    elif engine in CLAIM_VARIABLES and scheme == "s3" and not cached:
        message = f"{engine} reads s3:// only from a cache; without one it takes the url for the name of a model."
        yield error("url", _BAD_URL, message, step="Set cache_profile, or use engine VLLM.")
    elif engine in CLAIM_VARIABLES and scheme == "pvc" and not subject.spec.env.get(CLAIM_VARIABLES[engine]):
        variable = CLAIM_VARIABLES[engine]
        message = f"KubeAI mounts the claim at /model but tells {engine} the claim's name."
        fix = f"Set env.{variable} to /model."
        yield error("url", _BAD_URL, message, SetEnv(name=variable, value="/model"), step=fix)
    if cached and engine == "OLlama":
        message = "OLlama does not read a cache profile: it pulls the model into each Pod again."
        fix = "Leave cache_profile out."
        yield error("cache_profile", "CacheProfileUnused", message, SetField(name="cacheProfile", value=None), step=fix)
    if cached and source.parameters:
        message = "With a cache profile the loader gets the url with its query, and finds no such model."
        change = _set_url(f"{scheme}://{source.reference}")
        yield error("url", _BAD_URL, message, change, step="Leave out what follows the question mark.")


def _parameters(subject: Subject, source: Source) -> Iterator[Notice]:
    given = source.parameters
    if source.scheme == "pvc" and subject.spec.engine == "OLlama" and not given.get("model"):
        message = "OLlama cannot tell which model of the claim to serve."
        yield error("url", _BAD_URL, message, step="Append ?model=<name>, as ollama list names it.")
    if "revision" in given and source.scheme == "hf":
        message = "KubeAI drops ?revision= and serves the newest revision."
        fix = "Take it out of the url and add it to args as --revision=<revision>."
        moved = _set_url(f"hf://{source.reference}"), SetArgument(name="--revision", value=given["revision"])
        yield warning("url", _BAD_URL, message, *(moved if subject.spec.engine == "VLLM" else ()), step=fix)
    known = {"ollama": _SWITCHES, "pvc": ("model",), "hf": ("revision",)}.get(source.scheme, ())
    ignored = [name for name in given if name not in known]
    if ignored:
        message = f"KubeAI ignores {', '.join(ignored)} in a {source.scheme}:// url."
        yield warning("url", _BAD_URL, message, step="Take it out of the url.")
    unclear = [name for name in _SWITCHES if name in known and given.get(name, "true").lower() not in ("true", "false")]
    if unclear:
        message = f"KubeAI understands only true and false for {', '.join(unclear)}."
        yield warning("url", _BAD_URL, message, step=f"Write {unclear[0]}=true or {unclear[0]}=false.")


def _repository(subject: Subject, source: Source) -> Iterator[Notice]:
    reference = source.reference
    if reference.count("/") > 1 or ":" in reference or reference.startswith("/"):
        clean = "/".join([part for part in reference.split(":")[0].split("/") if part][:2])
        message = "The hub knows no repository of this form; the engine ends when it asks for it."
        changes = [_set_url(f"hf://{clean}")] if "/" in clean else []
        yield error("url", _BAD_URL, message, *changes, step="Write hf://<organisation>/<model> and nothing more.")
    elif reference.endswith("/"):
        message = "The slash at the end becomes part of the repository's name, which the hub refuses."
        yield error("url", _BAD_URL, message, _set_url(f"hf://{reference.rstrip('/')}"), step="Take the slash away.")
    if names_gguf(reference) and subject.spec.engine != "OLlama":
        message = (
            f"This repository seems to hold GGUF files, which {subject.spec.engine} does not load from a repository."
        )
        fix = f"Use engine OLlama with ollama://hf.co/{reference}:<quantization>."
        yield warning("url", "ModelFormatUnsupported", message, step=fix)
    elif _LORA.search(reference) and subject.spec.engine == "VLLM":
        message = "This repository seems to be a LoRA adapter, which cannot be served by itself."
        yield warning("url", "NoConfigJson", message, step="Put its base model into url, and this into adapters.")


def _set_url(url: str) -> SetField:
    return SetField(name="url", value=url)


def _features(subject: Subject, source: Source | None) -> Iterator[Notice]:
    spec = subject.spec
    if not spec.features:
        message = "Without a feature the gateway never lists the Model, though it answers by name."
        yield warning("features", "NoFeatures", message, step="Name what it does, such as TextGeneration.")
    for number, feature in enumerate(spec.features):
        able = [name for name, offered in _OFFERED.items() if feature in offered]
        if spec.engine not in _OFFERED or spec.engine in able or not able:
            continue
        message = f"{spec.engine} has no {feature}: the Model gets ready and every such call fails."
        # vLLM has learned to transcribe, but KubeAI's releases do not count on it.
        say = warning if (spec.engine, feature) == ("VLLM", "SpeechToText") else error
        yield say(
            f"features[{number}]", "FeatureMismatch", message, step=f"Use engine {' or '.join(able)} for {feature}."
        )
    if spec.engine == "OLlama" and source and "TextGeneration" in spec.features:
        guess, why = feature_of(source)
        if guess == "TextEmbedding":
            message = (
                f"An embedding model ({why}) cannot generate text, and KubeAI's start-up check makes it try for ever."
            )
            change = SetField(name="features", value=["TextEmbedding"])
            yield error("features", "FeatureMismatch", message, change, step="Set features to TextEmbedding.")
