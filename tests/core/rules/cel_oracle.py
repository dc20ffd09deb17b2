"""The rules of a definition run by a real CEL engine, as an API server runs them; a Model in, causes out."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cel_expr_python import cel

from kubeai_notebook.core.rules.admission_errors import INVALID, NO_FIELD, Cause, cause

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = "x-kubernetes-validations"


@lru_cache(maxsize=64)
def compiled(rule: str) -> Any:
    env = cel.NewEnv(variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN})
    return env.compile(rule)


def causes(schema: dict[str, Any], value: Any, old: Any = None, *, path: str = "") -> Iterator[Cause]:
    """Causes of one value and everything below it. ``old`` is the stored value, if there is one."""
    for rule in schema.get(RULES, ()):
        yield from judged(rule, value, old, field=path or NO_FIELD, kind=schema["type"])
    if isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                below = old.get(key) if isinstance(old, dict) else None
                yield from causes(inner, value[key], below, path=f"{path}.{key}".strip("."))
    elif isinstance(value, list) and "items" in schema:
        # A list without a type is atomic: its items have no old selves.
        for number, item in enumerate(value):
            yield from causes(schema["items"], item, path=f"{path}[{number}]")


def told_apart(value: Any) -> Any:
    """The value with keys that cel-cpp tells apart, which ends each at a NUL."""
    if isinstance(value, dict):
        return {key.replace("\0", "\N{SYMBOL FOR NULL}"): told_apart(inner) for key, inner in value.items()}
    return [told_apart(item) for item in value] if isinstance(value, list) else value


def judged(rule: dict[str, str], value: Any, old: Any, *, field: str, kind: str) -> Iterator[Cause]:
    data = {"self": told_apart(value)}
    if "oldSelf" in rule["rule"]:
        if old is None:
            return
        data["oldSelf"] = told_apart(old)
    result = compiled(rule["rule"]).eval(data=data)
    if result.type() == cel.Type.ERROR:
        # cel-cpp words it "No matching key", or names the type; cel-go says "no such key".
        yield cause(INVALID, field, kind, detail=f"no such key: minReplicas evaluating rule: {rule['message']}")
    elif result.value() is not True:
        if kind in ("object", "array"):
            yield Cause(field, INVALID.reason, f"{INVALID.text}: {rule['message']}")
        else:
            yield cause(INVALID, field, value, detail=rule["message"])
