"""From fields to a ModelSpec: what pydantic finds wrong becomes Notices that never show a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kubeai_notebook.errors import SpecError

from .field_aliases import to_snake
from .fields import FIELDS
from .masking import quoted
from .messages import did_you_mean, nearest
from .model_fields import FIELD_DOCS
from .model_spec import ENGINES, FEATURES, ModelSpec
from .notice import MOST_UNKNOWN, more_unknown, wrong
from .remedy import Remedy, SetField

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
_OF_SEVERAL = ("tuple_type", "dict_type", "model_type")
_GIVEN = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
_BOUNDS = {
    "ge": "be {} or more",
    "max_length": "have {} characters or fewer",
    "pattern": "have the form {}",
}
_FORMS = {
    r"^[a-z0-9-]+$": 'have small letters, digits and "-" only, such as my-adapter',
    r"^/[^:]*$": 'begin with "/" and have no colon, such as /config/template.jinja',
}
"""What a pattern of `core.model_spec` asks for, in words."""


# What a spec cannot be without, where a field of it is missing or wrong.
_LEAST: Mapping[str, Any] = {"name": "", "url": "", "engine": "", "features": ()}
_SPELLINGS = tuple(dict.fromkeys([*FIELD_DOCS, *(field.place[-1] for field in FIELDS)]))
"""Names of fields as Python writes them, and as YAML does."""
_GROUPS = ("scaling", "load_balancing")
"""Fields whose parts are wrong each by itself."""
_ELSEWHERE: Mapping[str, str] = {
    "catalog": "Of Helm values a Model is one entry below it: its key is the name, and the fields stand below that.",
    "max_length": 'Engines take it as an argument, vLLM as args=["--max-model-len=…"].',
    "spec": "Its fields stand here by themselves, without spec above them.",
    "server": 'Did you mean "engine"?',
    "spec.server": 'Did you mean "engine"?',
    "dry_run": "plan() says what serve() would do, and changes nothing.",
    "wait": "wait() of the Model that serve() returns waits until it is ready.",
    "timeout": "wait(timeout_seconds=…) of the Model that serve() returns ends after that time.",
    "timeout_seconds": "wait(timeout_seconds=…) of the Model that serve() returns ends after that time.",
    "context": "kubeai_notebook.Session(context=…) chooses the cluster, and has a serve() of its own.",
    "session": "Session(…) has a serve() of its own.",
}
"""What people give as a field, and what does it."""
_PLACES: Mapping[str, str] = {
    field.name: f"It stands within {'.'.join(field.within)}." for field in FIELDS if field.within
}
"""Of a field that is there, in another place."""


def checked(fields: Mapping[str, Any]) -> tuple[ModelSpec, list[Notice]]:
    """The ModelSpec of the fields that have the right type, and a Notice of each that has not; never an error.

    A field that is wrong is left out; a part of ``scaling`` is left out by itself.
    """
    good, wrong_ones = _to_take_from(fields), list[Mapping[str, Any]]()
    while True:
        try:
            spec = ModelSpec.model_validate({**_LEAST, **good})
            break
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                wrong_ones.append(detail)
                _take(good, detail["loc"])
    unknown = [detail for detail in wrong_ones if detail["type"] == "extra_forbidden"]
    told = [detail for detail in wrong_ones if detail["type"] != "extra_forbidden"] + unknown[:MOST_UNKNOWN]
    notices = [*map(notice_of, told), *more_unknown(len(unknown))]
    return spec, list({(notice.field, notice.message): notice for notice in reversed(notices)}.values())[::-1]


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
    notices = [] if spec.engine in ("", *engines) else [_unsupported("engine", spec.engine, engines)]
    unknown = [number for number, name in enumerate(spec.features) if name not in features]
    notices += [
        _unsupported(f"features[{number}]", spec.features[number], features, among=spec.features)
        for number in unknown[:MOST_UNKNOWN]
    ]
    if len(unknown) > MOST_UNKNOWN:
        message = f"… and {len(unknown) - MOST_UNKNOWN:,} more features that are none. Leave them out."
        notices.append(wrong("features", "UnsupportedValue", message))
    return notices


def _unsupported(field: str, name: str, known: Collection[str], *, among: Sequence[str] = ()) -> Notice:
    """That there is no such word, which may stand ``among`` others, with a change to the one that was meant."""
    top = field.partition("[")[0]
    # The name of an engine is no secret.
    message = f"There is no {top.removesuffix('s')} {quoted(name)}. KubeAI has {', '.join(known)}."
    near = nearest(name, known)
    if not near:
        return wrong(field, "UnsupportedValue", message)
    meant = list(dict.fromkeys(near if word == name else word for word in among)) if among else near
    remedy = Remedy(title=f'Did you mean "{near}"?', changes=(SetField(name=top, value=meant),))
    return wrong(field, "UnsupportedValue", message, remedy)


def unknown_field(written: str) -> Notice:
    """That a Model has no field of this name, with what its writer may have meant, in the same spelling."""
    name = written.rpartition(".")[2]
    elsewhere = _ELSEWHERE.get(to_snake(written)) or _PLACES.get(to_snake(name))
    near = f" {elsewhere}" if elsewhere else did_you_mean(name, _SPELLINGS)
    return wrong(written[:80], "UnknownField", f'A Model has no field "{written[:80]}".{near}')


def _to_take_from(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _to_take_from(part) if name in _GROUPS and isinstance(part, Mapping) else part
        for name, part in fields.items()
    }


def _take(fields: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """Take the one that is wrong out of the fields."""
    first, *rest = path
    part = fields.get(str(first))
    if first in _GROUPS and rest and isinstance(part, dict) and rest[0] in part:
        _take(part, tuple(rest))
    else:
        fields.pop(str(first), None)


def notice_of(detail: Mapping[str, Any]) -> Notice:
    """One sentence of one pydantic error. Of ``input``, which may be a secret, it tells the type only."""
    first, *rest = detail["loc"]
    if first == "secrets":
        message = "Each of secrets must be the name of a Secret, ENV=<secret>:<key>, or a pydantic SecretStr."
        return wrong("secrets", "InvalidValue", message)
    field = str(first) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    kind, limits = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return wrong(field, "Required", f'The field "{field}" is missing.')
    if kind == "extra_forbidden":
        return unknown_field(field)
    if kind == "literal_error":
        return wrong(field, "UnsupportedValue", f'The field "{field}" must be {limits["expected"]}.')
    if kind in _EXPECTED:
        given = _GIVEN.get(type(detail.get("input")), "")
        doc = FIELD_DOCS.get(field, "") if kind in _OF_SEVERAL and field not in _GROUPS else ""
        example = f"{f', not {given}' * bool(given)}{f': {doc}' * bool(doc)}"
        return wrong(field, "WrongType", f'The field "{field}" {_EXPECTED[kind]}{example}.')
    bounds = " and ".join(
        _FORMS.get(bound) or _BOUNDS[name].format(bound) for name, bound in limits.items() if name in _BOUNDS
    )
    return wrong(field, "InvalidValue", f'The field "{field}" must {bounds or f"satisfy the rule {kind}"}.')
