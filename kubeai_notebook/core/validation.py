"""From fields to a ModelSpec: what pydantic finds wrong becomes Notices that never show a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kubeai_notebook.errors import SpecError

from .masking import quoted
from .messages import did_you_mean
from .model_fields import FIELD_DOCS
from .model_spec import ENGINES, FEATURES, ModelSpec
from .notice import wrong

if TYPE_CHECKING:
    from .notice import Notice

_EXPECTED = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
}
_BOUNDS = {
    "ge": "be {} or more",
    "max_length": "have {} characters or fewer",
    "pattern": "match {}",
}


# What a spec cannot be without, where a field of it is missing or wrong.
_LEAST: Mapping[str, Any] = {"name": "", "url": "", "engine": "", "features": ()}
_KNOWN = FIELD_DOCS.keys()
_ELSEWHERE: Mapping[str, str] = {
    "dry_run": "plan() says what serve() would do, and changes nothing.",
    "wait": "wait() of the Model that serve() returns waits until it is ready.",
    "timeout": "wait(timeout_seconds=…) of the Model that serve() returns ends after that time.",
    "timeout_seconds": "wait(timeout_seconds=…) of the Model that serve() returns ends after that time.",
    "context": "Session(context=…) chooses the cluster, and has a serve() of its own.",
    "session": "Session(…) has a serve() of its own.",
}
"""What people give as a field, and what does it."""


def checked(fields: Mapping[str, Any]) -> tuple[ModelSpec, list[Notice]]:
    """The ModelSpec of the fields that have the right type, and a Notice of each that has not; never an error.

    A field that is wrong is left out; a part of ``scaling`` is left out by itself.
    """
    good: dict[str, Any] = dict(fields)
    notices: dict[tuple[str, str], Notice] = {}
    while True:
        try:
            return ModelSpec.model_validate({**_LEAST, **good}), list(notices.values())
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                notice = notice_of(detail)
                notices.setdefault((notice.field, notice.message), notice)
                good = _without(good, detail["loc"])


def validated(fields: Mapping[str, Any]) -> ModelSpec:
    """The ModelSpec of exactly these fields.

    Raises:
        SpecError: one has the wrong type or bounds, or is no engine or feature that KubeAI is known to have.
    """
    spec, notices = checked(fields)
    if notices := [*notices, *check_choices(spec)]:
        raise SpecError(notices)
    return spec


def check_choices(
    spec: ModelSpec, *, engines: Collection[str] = ENGINES, features: Collection[str] = FEATURES
) -> list[Notice]:
    """What is no engine and no feature of the cluster's; an empty engine is one that was left out."""
    stated = [("engine", "engine", spec.engine, engines)] if spec.engine else []
    stated += [(f"features[{number}]", "feature", name, features) for number, name in enumerate(spec.features)]
    return [
        wrong(
            field,
            "UnsupportedValue",
            # The name of an engine is no secret.
            f"There is no {word} {quoted(name)}.{did_you_mean(name, known)} KubeAI has {', '.join(known)}.",
        )
        for field, word, name, known in stated
        if name not in known
    ]


def _without(fields: Mapping[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    """The fields without the one that is wrong."""
    first, *rest = path
    part = fields.get(str(first))
    if first in ("scaling", "load_balancing") and rest and isinstance(part, Mapping) and rest[0] in part:
        return {**fields, str(first): _without(part, tuple(rest))}
    return {name: value for name, value in fields.items() if name != first}


def notice_of(detail: Mapping[str, Any]) -> Notice:
    """One sentence of one pydantic error, from ``loc``, ``type`` and limits only: ``input`` may be a secret."""
    first, *rest = detail["loc"]
    if first == "secrets":
        message = "Each of secrets must be the name of a Secret, ENV=<secret>:<key>, or a pydantic SecretStr."
        return wrong("secrets", "InvalidValue", message)
    field = str(first) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    kind, limits = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return wrong(field, "Required", f'The field "{field}" is missing.')
    if kind == "extra_forbidden":
        near = "" if rest else f" {_ELSEWHERE[field]}" if field in _ELSEWHERE else did_you_mean(field, _KNOWN)
        return wrong(field[:80], "UnknownField", f'A Model has no field "{field[:80]}".{near}')
    if kind == "literal_error":
        return wrong(field, "UnsupportedValue", f'The field "{field}" must be {limits["expected"]}.')
    if kind in _EXPECTED:
        return wrong(field, "WrongType", f'The field "{field}" {_EXPECTED[kind]}.')
    bounds = " and ".join(_BOUNDS[name].format(bound) for name, bound in limits.items() if name in _BOUNDS)
    return wrong(field, "InvalidValue", f'The field "{field}" must {bounds or f"satisfy the rule {kind}"}.')
