"""KubeAI's 13 CEL rules as Python functions; ``local/crd.yaml`` holds the expressions they are kept to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .admission_errors import INVALID, NO_FIELD, Cause, cause, go_type, kind_of
from .schema import MAX_NAME

_MODEL_SCHEMES = ("hf://", "pvc://", "ollama://", "s3://", "gs://", "oss://")
_STORE_SCHEMES = ("hf://", "s3://", "gs://", "oss://")


class RuleError(Exception):
    """The rule could not be computed; the server refuses the object for that too."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``holds`` gets the value, and the stored one where ``transition`` is set."""

    message: str
    holds: Callable[[Any, Any], bool]
    transition: bool = False


def _integer(value: Any) -> int:
    # The server knows the field's type from the schema and takes no float there, not even 2.0.
    if kind_of(value) != "integer":
        raise RuleError(f"invalid data, expected int, got {go_type(value)}")
    return int(value)


def _unchanged_integer(new: Any, old: Any) -> bool:
    return _integer(new) == _integer(old)


def _bounded(spec: Mapping[str, Any], _old: Any) -> bool:
    if "maxReplicas" not in spec:
        return True
    if "minReplicas" not in spec:
        raise RuleError("no such key: minReplicas")
    return _integer(spec["minReplicas"]) <= _integer(spec["maxReplicas"])


def _distinct_paths(spec: Mapping[str, Any], _old: Any) -> bool:
    paths = [file["path"] for file in spec.get("files", ())]
    return len(paths) == len(set(paths))


NAME = Rule(f"name must not exceed {MAX_NAME} characters.", lambda name, _: len(name) <= MAX_NAME)
URL = Rule(
    'url must start with "hf://", "pvc://", "ollama://", "s3://", "gs://", or "oss://" and not be empty.',
    lambda url, _: url.startswith(_MODEL_SCHEMES),
)
ADAPTER_URL = Rule(
    'adapter url must start with "hf://", "s3://", "gs://", or "oss://".', lambda url, _: url.startswith(_STORE_SCHEMES)
)
FILE_PATH = Rule(
    "Path must be an absolute path, starting with /, and must not contain a ':' character.",
    lambda path, _: path.startswith("/") and ":" not in path,
)
CACHE_PROFILE = Rule("cacheProfile is immutable.", lambda new, old: bool(new == old), transition=True)
REPLICATION = Rule("replication is immutable.", _unchanged_integer, transition=True)
SPEC_RULES = (
    Rule(
        'cacheProfile is only supported with urls of format "hf://...", "s3://...", "gs://...", or "oss://..." '
        "at the moment.",
        lambda spec, _: "cacheProfile" not in spec or spec["url"].startswith(_STORE_SCHEMES),
    ),
    Rule(
        'urls of format "gs://..." only supported when using a cacheProfile',
        lambda spec, _: not spec["url"].startswith("gs://") or "cacheProfile" in spec,
    ),
    Rule(
        'urls of format "oss://..." only supported when using a cacheProfile',
        lambda spec, _: not spec["url"].startswith("oss://") or "cacheProfile" in spec,
    ),
    Rule("minReplicas should be less than or equal to maxReplicas.", _bounded),
    Rule(
        "adapters only supported with VLLM engine.", lambda spec, _: "adapters" not in spec or spec["engine"] == "VLLM"
    ),
    Rule(
        "url is immutable when using cacheProfile.",
        lambda spec, old: "cacheProfile" not in old or spec["url"] == old.get("url"),
        transition=True,
    ),
    Rule("All file paths must be unique.", _distinct_paths),
)


@dataclass(frozen=True, slots=True)
class _Site:
    """A value that has rules: where, its type's name, what the server shows of it."""

    field: str
    kind: str
    value: Any
    old: Any = None


def broken_rules(model: Mapping[str, Any], old: Mapping[str, Any] | None, *, name: str) -> list[Cause]:
    """Every rule that the well-shaped Model breaks; ``old`` is the stored one of an update."""
    pairs = [(_Site(NO_FIELD, "object", name), NAME)]
    spec, old_spec = model.get("spec"), (old or {}).get("spec")
    if isinstance(spec, Mapping):
        pairs += [(_Site("spec", "object", spec, old_spec), rule) for rule in SPEC_RULES]
        pairs += _below_spec(spec, old_spec or {})
    return [broken for site, rule in pairs for broken in _broken(site, rule)]


def _below_spec(spec: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[tuple[_Site, Rule]]:
    for number, file in enumerate(spec.get("files", ())):
        yield _Site(f"spec.files[{number}].path", "string", file["path"]), FILE_PATH
    yield _Site("spec.url", "string", spec["url"]), URL
    for number, adapter in enumerate(spec.get("adapters", ())):
        yield _Site(f"spec.adapters[{number}].url", "string", adapter["url"]), ADAPTER_URL
    if "cacheProfile" in spec:
        yield _Site("spec.cacheProfile", "string", spec["cacheProfile"], old.get("cacheProfile")), CACHE_PROFILE
    now, then = _replication(spec), _replication(old)
    if now is not None:
        yield _Site("spec.loadBalancing.prefixHash.replication", "integer", now, then), REPLICATION


def _replication(spec: Mapping[str, Any]) -> Any:
    return spec.get("loadBalancing", {}).get("prefixHash", {}).get("replication")


def _broken(site: _Site, rule: Rule) -> Iterator[Cause]:
    if rule.transition and site.old is None:
        return
    try:
        if rule.holds(site.value, site.old):
            return
    except RuleError as error:
        yield cause(INVALID, site.field, site.kind, detail=f"{error} evaluating rule: {rule.message}")
        return
    if site.kind == "object":
        yield Cause(site.field, INVALID.reason, f"{INVALID.text}: {rule.message}")
    else:
        yield cause(INVALID, site.field, site.value, detail=rule.message)
