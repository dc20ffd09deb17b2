"""``spec_of``, the one door to a ModelSpec: keyword arguments, options, form values, YAML, manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.core import inference
from kubeai_notebook.core.manifest import spec_of_manifest
from kubeai_notebook.core.naming import check_name
from kubeai_notebook.core.parts import ENGINES, FEATURES, ModelSpec, validated
from kubeai_notebook.core.platform import fields_of
from kubeai_notebook.core.profile import parse_profile
from kubeai_notebook.core.source import parse_source
from kubeai_notebook.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENGINES", "FEATURES", "ModelSpec", "spec_of"]


def spec_of(mapping: Mapping[str, Any], *, default_profile: str = "cpu") -> ModelSpec:
    """Make a ModelSpec of keyword arguments, magic options, form values or our short YAML.

    All spellings of `core.platform` are accepted. What is left out is inferred from the url and
    recorded in ``inferred``.

    >>> spec_of({"url": "ollama://smollm2:135m"}).engine
    'OLlama'

    Raises:
        SpecError: one or more fields are wrong; ``problems`` names every one with its fix.
    """
    if "kind" in mapping or "apiVersion" in mapping:
        return spec_of_manifest(mapping)
    given = fields_of(mapping)
    if not isinstance(given.get("url"), str):
        message = "A Model needs a url. Give one such as ollama://smollm2:135m or hf://org/model."
        raise SpecError([Problem("url", "Required", message)])
    source = parse_source(given["url"])
    completed, inferred = inference.complete(given, source, default_profile=default_profile)
    spec = validated({**completed, "inferred": inferred})
    problems = [*check_name(spec.name), *_scheme_problems(spec, source.scheme)]
    if problems:
        raise SpecError(problems)
    return spec.model_copy(update={"resource_profile": str(parse_profile(spec.resource_profile))})


# Which schemes an engine can load; admission lets all of them through.
_LOADABLE = {
    "OLlama": ("ollama", "pvc"),
    "VLLM": ("hf", "s3", "pvc", "gs", "oss"),
    "Infinity": ("hf", "s3", "gs", "oss"),
    "FasterWhisper": ("hf", "s3", "gs", "oss"),
}


def _scheme_problems(spec: ModelSpec, scheme: str) -> list[Problem]:
    loadable = _LOADABLE[spec.engine]
    if scheme in loadable:
        return []
    able = [engine for engine, schemes in _LOADABLE.items() if scheme in schemes]
    fix = f"Use engine {' or '.join(able)} for it, or a url that starts with {loadable[0]}://."
    return [Problem("engine", "InvalidModelUrl", f"{spec.engine} cannot load {scheme}:// urls. {fix}")]
