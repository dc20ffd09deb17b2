"""The platform's words: every spelling of a field that people use, and what its functions and runs may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.naming import sanitized
from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.core.plain_data import check_fields
from kubeai_notebook.core.profile import ResourceProfile, parse_profile
from kubeai_notebook.errors import SpecError

# The platform's documentation, its SDK and its server disagree; all of their words are accepted.
_ALIASES = {
    "model_name": "name",
    "profile": "resource_profile",
    "envs": "env",
    "caching_profile": "cache_profile",
    "feature": "features",
    "adapter": "adapters",
    "priority_class": "priority_class_name",
    "target_request": "target_requests",
}
_SCALING = frozenset({
    "min_replicas", "max_replicas", "replicas", "autoscaling_disabled",
    "target_requests", "scale_down_delay_seconds", "load_balancing",
})  # fmt: skip

KINDS: Mapping[str, Mapping[str, str]] = {
    "kubeai-text": {},
    "kubeai-speech": {"engine": "FasterWhisper", "features": "SpeechToText"},
}
"""Kinds of functions, and the fields that a kind decides."""
ACTION = "serve"
"""The one action that these kinds have."""
_OF_A_FUNCTION = {"url": "url", "name": "model_name", "engine": "engine", "features": "features",
                  "adapters": "adapters", "image": "image"}  # fmt: skip
"""Fields of a function, and what the platform calls them; all others are a run's."""
MAX_LABEL_LENGTH = 63


def check_label(name: str, *, of: str) -> None:
    """Refuse a name that cannot be a label's value; ``of`` says whose it is, such as ``project``.

    Raises:
        SpecError: with a name that would do.
    """
    if len(name) <= MAX_LABEL_LENGTH and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
        return
    better = sanitized(name).replace(".", "-") if masked(name) == name else ""
    fix = f' Call it "{better}".' if better else ""
    said = f'The {of}\'s name {quoted(name)} may hold only small letters, digits and "-", {MAX_LABEL_LENGTH} at most.'
    raise SpecError([wrong("name", "InvalidName", said + fix)])


def function_fields(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a function, by their names in ModelSpec, with those that its kind decides.

    Raises:
        SpecError: there is no such kind, or a field is not a function's.
    """
    if kind not in KINDS:
        known = " and ".join(KINDS)
        message = f"There is no kind {quoted(kind)} here.{did_you_mean(kind, KINDS)} Functions may be {known}."
        raise _wrong("kind", message)
    check_fields(given)
    fields = renamed(given)
    problems = [_misplaced(field) for field in fields if field not in _OF_A_FUNCTION]
    for field, decided in KINDS[kind].items():
        if fields.setdefault(field, decided) not in (decided, [decided], (decided,)):
            message = f"A function of kind {kind} always has {decided}. Leave {field} out."
            problems.append(wrong(field, "InvalidValue", message))
    if not isinstance(fields.get("url"), str):
        message = 'A function needs a url, such as url="hf://org/model" or url="ollama://smollm2:135m".'
        problems.append(wrong("url", "Required", message))
    if problems:
        raise SpecError(problems)
    return fields


def run_fields(function: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A run's fields together with those of its function.

    Raises:
        SpecError: a field is the function's own, or the url is not one of the function's.
    """
    check_fields(given)
    fields = renamed(given)
    problems = [
        wrong(field, "MisplacedField", f"{name} is a field of the function. Give it to new_function({name}=…).")
        for field, name in _OF_A_FUNCTION.items()
        if field in fields and field != "url"
    ]
    url = fields.setdefault("url", function["url"])
    if not str(url).lower().startswith(function["url"].lower()):
        message = f'A run\'s url must start with that of its function, "{function["url"]}". Only a tag may be added.'
        problems.append(wrong("url", "InvalidValue", message))
    if fields.pop("local_execution", False):
        message = "These functions are served by KubeAI. Leave local_execution out."
        problems.append(wrong("local_execution", "InvalidValue", message))
    if problems:
        raise SpecError(problems)
    return {**function, **fields}


def _misplaced(field: str) -> Notice:
    near = did_you_mean(field, _OF_A_FUNCTION.values())
    fix = near or f' If it is a run\'s, give it to run(action="{ACTION}", {field}=…).'
    return wrong(field, "MisplacedField", f'A function has no field "{field[:80]}".{fix}')


def fields_of(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Give every field its name in ModelSpec and every value its shape there.

    Accepts camelCase and the platform's aliases, scaling fields beside the others, ``env`` as a
    list of ``{name, value}``, ``adapters`` and ``files`` as maps, ``secrets`` as names or a map,
    and ``processors`` beside a profile's name.

    Raises:
        SpecError: two spellings of one field, or a shape that no field has.
    """
    fields = renamed(mapping)
    scaling = {name: fields.pop(name) for name in _SCALING & fields.keys()}
    stated = fields.pop("scaling", None)
    if scaling or stated is not None:
        fields["scaling"] = _scaling(stated, scaling)
    for name, shape in _SHAPES.items():
        if fields.get(name) is not None:
            fields[name] = shape(fields[name])
    processors = fields.pop("processors", None)
    if processors is not None:
        fields["resource_profile"] = _multiplied(fields.get("resource_profile"), processors)
    return fields


def to_snake(name: str) -> str:
    """KubeAI's spelling of a field as ours: ``minReplicas`` is ``min_replicas``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def renamed(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields by their names in ModelSpec, without those that are None.

    Raises:
        SpecError: two spellings of one field.
    """
    fields: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for key, value in mapping.items():
        if not isinstance(key, str):
            raise _wrong("", f"A field's name must be text, not {type(key).__name__}.")
        if value is None:
            continue
        name = to_snake(key)
        name = _ALIASES.get(name, name)
        if name in fields:
            raise _wrong(name, f'"{spelled[name]}" and "{key}" are the same field. Give one of them.')
        fields[name], spelled[name] = value, key
    return fields


def _scaling(stated: Any, beside: Mapping[str, Any]) -> Any:
    if stated is not None and not isinstance(stated, Mapping):
        return stated  # the type's own check words it
    scaling = {**renamed(stated or {}), **beside}
    balancing = scaling.get("load_balancing")
    if isinstance(balancing, Mapping):
        flat = renamed(balancing)
        prefix_hash = flat.pop("prefix_hash", None)
        if isinstance(prefix_hash, Mapping):
            flat |= renamed(prefix_hash)
        elif prefix_hash is not None:
            flat["prefix_hash"] = prefix_hash
        scaling["load_balancing"] = flat
    return scaling


def _env(value: Any) -> Any:
    if isinstance(value, list | tuple) and all(isinstance(item, Mapping) and "name" in item for item in value):
        value = {item["name"]: item.get("value", "") for item in value}
    if isinstance(value, Mapping):
        # YAML reads unquoted digits as numbers; an environment holds text.
        return {name: str(item) if type(item) in (int, float) else item for name, item in value.items()}
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _rows(first: str, second: str) -> Any:
    """A map ``{a: b}`` as rows ``[{first: a, second: b}]``; anything else as it is."""

    def rows(value: Any) -> Any:
        return [{first: key, second: item} for key, item in value.items()] if isinstance(value, Mapping) else value

    return rows


def _secrets(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    if isinstance(value, Mapping):
        return [_secret_of(env, source) for env, source in value.items()]
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return [_secret_item(item) if isinstance(item, str) else item for item in value]
    return value


def _secret_item(text: str) -> dict[str, Any]:
    """``NAME`` of a Secret, or ``ENV=secret:key``."""
    env, equals, source = text.partition("=")
    return _secret_of(env, source) if equals else {"name": text}


def _secret_of(env: Any, source: Any) -> dict[str, Any]:
    """``ENV: "secret:key"`` names a key of a Secret; a SecretStr is the value itself."""
    if isinstance(source, str):
        secret, colon, key = source.partition(":")
        if not colon or not secret or not key:
            fix = "Write <secret>:<key>, or give the value as a pydantic SecretStr."
            raise _wrong("secrets", f"The secret for {env} does not name a key of a Secret. {fix}")
        return {"env": env, "secret": secret, "key": key}
    return {"env": env, "value": source}


_SHAPES = {
    "env": _env,
    "args": lambda value: value,
    "features": _listed,
    "adapters": _rows("name", "url"),
    "files": _rows("path", "content"),
    "secrets": _secrets,
}


def _multiplied(profile: Any, processors: Any) -> str:
    if type(processors) is not int or processors < 1:
        raise _wrong("processors", 'The field "processors" must be a whole number from 1 up.')
    if isinstance(profile, str) and ":" in profile:
        fix = f"Write resource_profile={profile!r} without processors."
        raise _wrong("processors", f"The profile says already how many times it is taken. {fix}")
    name = profile if isinstance(profile, str) else "cpu"
    return str(ResourceProfile(parse_profile(name).name, processors))


def _wrong(field: str, message: str) -> SpecError:
    return SpecError([wrong(field, "InvalidValue", message)])
