"""Every spelling of a field that people use, and every shape in which they give its value.

The platform's documentation, its SDK, its server and KubeAI disagree; all of their words are accepted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.profile import ResourceProfile, parse_profile
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeai_notebook.core.notice import Notice

ASK = "ask"
_ALIASES = {alias: field.name for field in FIELDS for alias in field.aliases}
_WITHIN = {field.name: field.within for field in FIELDS}
_HOLDERS = frozenset(part for field in FIELDS for part in field.within)
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


def flattened(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `read_fields` with those of ``scaling`` and of its balancing beside the others.

    >>> flattened({"url": "hf://a/b", "scaling": {"min_replicas": 0, "load_balancing": {"strategy": "LeastLoad"}}})
    {'url': 'hf://a/b', 'min_replicas': 0, 'strategy': 'LeastLoad'}
    """
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        flat |= flattened(value) if name in _HOLDERS and isinstance(value, Mapping) else {name: value}
    return flat


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """What `flattened` has made flat, as `core.spec.draft_of` takes it.

    What somebody stated as ``scaling`` and is no mapping gives way to a field of it.
    """
    fields: dict[str, Any] = {name: value for name, value in flat.items() if name in _HOLDERS}
    for name, value in flat.items():
        if name not in _HOLDERS:
            holder = fields
            for part in _WITHIN.get(name, ()):
                inner = holder.get(part)
                holder[part] = dict(inner) if isinstance(inner, Mapping) else {}
                holder = holder[part]
            holder[name] = value
    return fields


def canonical(name: str) -> str:
    """The name that a field has in ModelSpec, by any of its spellings; another word as it is.

    >>> canonical("minReplicas"), canonical("profile")
    ('min_replicas', 'resource_profile')
    """
    name = to_snake(name)
    return _ALIASES.get(name, name)


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
        name = canonical(key)
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


def repeated(names: Iterable[Any]) -> str:
    """The first name that is there more than once; ``""`` where none is.

    >>> repeated(["a", "b", "a"])
    'a'
    """
    return next((name for name, count in Counter(map(str, names)).items() if count > 1), "")


def _env(value: Any) -> Any:
    if isinstance(value, list | tuple) and all(isinstance(item, Mapping) and "name" in item for item in value):
        if twice := repeated(item["name"] for item in value):
            raise _wrong("env", f"The variable {quoted(twice)} is given twice. Give it once.")
        value = {item["name"]: item.get("value", "") for item in value}
    if isinstance(value, Mapping):
        # YAML reads unquoted digits as numbers; an environment holds text.
        return {name: str(item) if type(item) in (int, float) else item for name, item in value.items()}
    return value


_FEATURES = {
    "TextGeneration": ("textgeneration", "text", "generation", "generate", "chat", "completion", "completions"),
    "TextEmbedding": ("textembedding", "textembeddings", "embedding", "embeddings", "embed"),
    "Reranking": ("reranking", "rerank", "reranker"),
    "SpeechToText": ("speechtotext", "speech", "transcription", "transcribe", "asr", "stt"),
}
"""KubeAI's word for a feature, and what people write for it, without its letter case and what stands between words."""
_FEATURE_OF = {spelling: feature for feature, spellings in _FEATURES.items() for spelling in spellings}


def _features(value: Any) -> Any:
    if isinstance(value, str):
        value = [part for part in re.split(r"[,;\s]+", value) if part] if re.search("[,;]", value) else [value]
    if isinstance(value, list | tuple):
        return [
            _FEATURE_OF.get(re.sub("[-_ ]", "", one).lower(), one) if isinstance(one, str) else one for one in value
        ]
    return value


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
    """``NAME`` of a Secret, ``ENV=secret:key``, or ``ENV=ask`` for a value that is still to be given."""
    env, equals, source = text.partition("=")
    return _secret_of(env, source) if equals else {"name": text}


def _secret_of(env: Any, source: Any) -> dict[str, Any]:
    """``ENV: "secret:key"`` names a key of a Secret; a SecretStr is the value itself.

    ``"ask"`` stands for a value wherever none may be written: in a line, in YAML, in a saved notebook.
    """
    if source == ASK:
        return {"env": env, "value": SecretStr("")}
    if isinstance(source, str):
        secret, colon, key = source.partition(":")
        if not colon or not secret or not key:
            fix = f"Write {env}=<secret>:<key>; {env}=ask asks for the value itself, which Python takes as a SecretStr."
            raise _wrong("secrets", f"The secret for {env} does not name a key of a Secret. {fix}")
        return {"env": env, "secret": secret, "key": key}
    return {"env": env, "value": source}


_SHAPES = {
    "env": _env,
    "features": _features,
    "adapters": _rows("name", "url"),
    "files": _rows("path", "content"),
    "secrets": _secrets,
}


def _multiplied(profile: Any, processors: Any) -> str:
    if type(processors) is not int or processors < 1:
        raise _wrong("processors", 'The field "processors" must be a whole number from 1 up.')
    if isinstance(profile, str) and processors == 1 and profile.endswith(":1"):
        return profile  # once is once
    if isinstance(profile, str) and ":" in profile:
        fix = f"Write resource_profile={quoted(profile)} without processors."
        raise _wrong("processors", f"The profile says already how many times it is taken. {fix}")
    name = profile if isinstance(profile, str) else "cpu"
    return ResourceProfile(f"{parse_profile(name).name}:{processors}")


def _wrong(field: str, message: str) -> SpecError:
    return SpecError([wrong(field, "InvalidValue", message)])
