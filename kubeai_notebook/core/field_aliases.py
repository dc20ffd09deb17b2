"""Every spelling of a field that people use, and every shape in which they give its value.

The platform's documentation, its SDK, its server and KubeAI disagree; all of their words are accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.profile import ResourceProfile, parse_profile
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from kubeai_notebook.core.notice import Notice

_ALIASES = {alias: field.name for field in FIELDS for alias in field.aliases}
_SCALING = ("load_balancing", *(field.name for field in FIELDS if field.within == ("scaling",)))


def fields_of(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """As `read_fields`.

    Raises:
        SpecError: two spellings of one field, or a shape that no field has.
    """
    fields, notices = read_fields(mapping)
    if notices:
        raise SpecError(notices)
    return fields


def read_fields(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], list[Notice]]:
    """Every field by its name in ModelSpec with its value in its shape there, and a Notice of each that has none.

    Accepts camelCase and the aliases of `core.fields`, scaling fields beside the others, ``env`` as a
    list of ``{name, value}``, ``adapters`` and ``files`` as maps, ``secrets`` as names or a map,
    and ``processors`` beside a profile's name.
    """
    fields, notices = spelled(mapping)
    beside = {name: fields.pop(name) for name in _SCALING if name in fields}
    stated = fields.pop("scaling", None)
    if isinstance(stated, Mapping | None):
        if beside or stated is not None:
            fields["scaling"] = _scaling({**(stated or {}), **beside}, notices)
    else:
        fields["scaling"] = stated  # the type's own check words it
    for name, shape in _SHAPES.items():
        try:
            if name in fields:
                fields[name] = shape(fields[name])
        except SpecError as error:
            notices += error.notices
            del fields[name]
    processors = fields.pop("processors", None)
    if processors is not None:
        try:
            fields["resource_profile"] = _multiplied(fields.get("resource_profile"), processors)
        except SpecError as error:
            notices += error.notices
    return fields, notices


def to_snake(name: str) -> str:
    """KubeAI's spelling of a field as ours: ``minReplicas`` is ``min_replicas``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def spelled(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], list[Notice]]:
    """The same fields by their names in ModelSpec, without those that are None, and a Notice of each given twice."""
    fields: dict[str, Any] = {}
    keys: dict[str, str] = {}
    notices = []
    for key, value in mapping.items():
        if value is None:
            continue
        name = to_snake(key)
        name = _ALIASES.get(name, name)
        if name in fields:
            message = f'"{keys[name][:80]}" and "{key[:80]}" are the same field. Give one of them.'
            notices.append(wrong(name[:80], "InvalidValue", message))
        else:
            fields[name], keys[name] = value, key
    return fields, notices


def _scaling(mapping: Mapping[str, Any], notices: list[Notice]) -> dict[str, Any]:
    """The fields of ``scaling``; those that KubeAI keeps in ``prefixHash`` stand beside the strategy."""
    scaling, twice = spelled(mapping)
    balancing = scaling.get("load_balancing")
    if isinstance(balancing, Mapping):
        flat, more = spelled(balancing)
        if isinstance(flat.get("prefix_hash"), Mapping):
            inner, most = spelled(flat.pop("prefix_hash"))
            flat, more = {**flat, **inner}, [*more, *most]
        scaling["load_balancing"], twice = flat, [*twice, *more]
    notices += twice
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
    "features": _listed,
    "adapters": _rows("name", "url"),
    "files": _rows("path", "content"),
    "secrets": _secrets,
}


def _multiplied(profile: Any, processors: Any) -> str:
    if type(processors) is not int or processors < 1:
        raise _wrong("processors", 'The field "processors" must be a whole number from 1 up.')
    if isinstance(profile, str) and ":" in profile:
        fix = f"Write resource_profile={quoted(profile)} without processors."
        raise _wrong("processors", f"The profile says already how many times it is taken. {fix}")
    name = profile if isinstance(profile, str) else "cpu"
    return ResourceProfile(f"{parse_profile(name).name}:{processors}")


def _wrong(field: str, message: str) -> SpecError:
    return SpecError([wrong(field, "InvalidValue", message)])
