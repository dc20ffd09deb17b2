"""The fields that a user has stated, as texts show them, and as such a text gives them back when it is pasted.

What is shown hides secrets, and yet a text that was copied out of a form, changed in one place and pasted again must
not lose them. So what is hidden is given back by its place: a variable's value by its name, an argument by how it is
shown. A value that is hidden and was never known here is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import SpecError

from .field_aliases import ASK, nested, read_fields
from .fields import FIELDS
from .inference import complete
from .masking import MASK, masked, masked_args, masked_content, masked_env, secret_values
from .notice import wrong
from .source import Source
from .source_spellings import read_spelling
from .validation import checked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .fields import Field
    from .model_spec import ModelSpec


_ADDRESS = re.compile(r"PROXY|ENDPOINT|_URL|_URI|_HOST|BASE_?URL", re.IGNORECASE)
"""In the name of a variable that says where to send something."""


def stated_fields(fields: Mapping[str, Any], spec: ModelSpec | None) -> dict[str, Any]:
    """The flat fields (`field_aliases.flattened`) in their plain shapes, in the order of a Manifest.

    ``spec``: what was made of them; without one, fields that are wrong are left out.
    """
    names = {*fields}
    if spec is None:
        spec, _ = checked(read_fields(nested(fields))[0])
    elif "replicas" in fields:  # it has become one of the bounds
        names.add("min_replicas")
    values = {field.name: _plain(_value_of(spec, field)) for field in FIELDS if field.name in names}
    return {name: value for name, value in values.items() if value is not False and value not in (None, "", [], {})}


def _value_of(spec: ModelSpec, field: Field) -> Any:
    value: Any = spec
    for part in field.path:
        value = getattr(value, part)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in value} if hasattr(value, "model_fields_set") else value


def shown(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The same without any secret; secrets in words."""
    words = {"secrets": secret_words(stated["secrets"])} if "secrets" in stated else {}
    return {**without_secrets(stated), **words}


def without_secrets(fields: Mapping[str, Any], given: Iterable[str] = ()) -> dict[str, Any]:
    """Fields, or the ``spec`` of a Manifest, with what looks like a secret hidden and nothing else changed.

    The value of a secret is hidden wherever else it stands; ``given`` are those of secrets that the fields do not hold.
    """
    given = (*given, *secret_values({"secrets": fields.get("secrets")}))
    secrets = (*secret_values(fields), *given)
    hidden: dict[str, Any] = {name: masked(fields[name], secrets) for name in ("url", "image") if name in fields}
    if "env" in fields:
        hidden["env"] = masked_env(fields["env"], secrets)
    if "args" in fields:
        hidden["args"] = list(masked_args(fields["args"], secrets))
    if "adapters" in fields:
        hidden["adapters"] = [{**adapter, "url": masked(adapter["url"], secrets)} for adapter in fields["adapters"]]
    if "files" in fields:
        hidden["files"] = [
            {**file, "content": masked_content(file["path"], file["content"])} for file in fields["files"]
        ]
    shown = {**fields, **hidden}
    return {name: value if name == "secrets" else _without(value, given) for name, value in shown.items()}


def _without(value: Any, given: tuple[str, ...]) -> Any:
    """The value with these texts hidden, whichever part of it has them."""
    if not given:
        return value
    if isinstance(value, Mapping):
        return {key: _without(item, given) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(item, given) for item in value]
    return masked(value, given) if isinstance(value, str) else value


def secret_words(secrets: Iterable[Any]) -> list[Any]:
    """Each secret as ``NAME``, ``ENV=secret:key`` or ``ENV=ask``; as a mapping where these words would mean another."""
    return [_in_words(_plain(secret)) for secret in secrets]


def _in_words(secret: Mapping[str, Any]) -> Any:
    if "value" in secret:
        return f"{secret['env']}={ASK}"
    word = secret["name"] if "name" in secret else f"{secret['env']}={secret['secret']}:{secret['key']}"
    again, notices = read_fields({"secrets": [word]})
    return word if not notices and again["secrets"] == [secret] else dict(secret)


def destination(flat: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where the values of flat fields go: what is loaded, what runs it, and the addresses among the variables.

    >>> destination({"url": "hf://a/b"}) == destination({"url": "a/b", "engine": "VLLM", "args": ["--verbose"]})
    True
    """
    given, _ = read_fields(nested(flat))
    url, env = str(given.get("url") or ""), given.get("env")
    read = read_spelling(url)
    source = Source(read.url if read else url)
    completed, _ = complete({**given, "url": source}, source, default_profile="")
    addresses = {(name, value) for name, value in _texts_of(env) if "://" in value or _ADDRESS.search(name)}
    return str(source), completed["engine"], given.get("image"), frozenset(addresses)


def _texts_of(env: Any) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in env.items()] if isinstance(env, Mapping) else []


def restored(pasted: Mapping[str, Any], stated: Mapping[str, Any], *, elsewhere: bool = False) -> dict[str, Any]:
    """Pasted flat fields with the secrets that the stated ones hold in the places where a text hides them.

    ``elsewhere``: the pasted fields have another `destination`. A text may be anybody's, and what was given for one
    place goes to no other: nothing is given back, and a secret's value is asked for again.

    Raises:
        SpecError: a value is hidden that nobody knows here, or that goes elsewhere; it names the field.
    """
    seen = {} if elsewhere else shown(stated)
    whole = {name: _restored(value, seen.get(name), stated.get(name)) for name, value in pasted.items()}
    if "secrets" in whole and not elsewhere:
        values = {row["env"]: row["value"] for row in stated.get("secrets", ()) if "value" in row}
        whole["secrets"] = [_with_value(row, values) for row in whole["secrets"]]
    for name, value in whole.items():
        if _is_hidden(value) and (elsewhere or not _is_hidden(stated.get(name))):
            why = " and was given for another url, engine, image or address" if elsewhere and name in stated else ""
            message = (
                f'A value of the field "{name}" is hidden in this text ({MASK}){why}. Write it out, or leave it out.'
            )
            raise SpecError([wrong(name, "HiddenValue", message)])
    return whole


def _with_value(row: Any, values: Mapping[str, Any]) -> Any:
    asks = isinstance(row, Mapping) and "value" in row and not row["value"].get_secret_value()
    return {**row, "value": values[row["env"]]} if asks and row["env"] in values else row


def _restored(value: Any, seen: Any, real: Any) -> Any:
    if value == seen:
        return real
    if isinstance(value, Mapping) and isinstance(seen, Mapping):
        return {key: _restored(item, seen.get(key), real[key]) if key in seen else item for key, item in value.items()}
    if isinstance(value, list) and isinstance(seen, list):
        return _restored_items(value, seen, real)
    return value


def _restored_items(value: list[Any], seen: list[Any], real: list[Any]) -> list[Any]:
    """Items that look alike belong to the item before them, and are given back in their order.

    Where another number of them came back, they stay hidden unless all are the same: nobody knows which is which.
    """
    places, known = _places(value), dict(zip(_places(seen), real, strict=True))
    restored = []
    for item, (before, text, place) in zip(value, places, strict=True):
        alike = [known[one] for one in known if one[:2] == (before, text)]
        is_known = len(alike) == sum(one[:2] == (before, text) for one in places) or alike == alike[:1] * len(alike)
        restored.append(alike[min(place, len(alike) - 1)] if alike and is_known else item)
    return restored


def _places(items: list[Any]) -> list[tuple[str, str, int]]:
    """Of each item what stands before it, where it is nothing but hidden; the item; and the how many-th of these."""
    neighbours = zip(["", *items], items, strict=False)
    pairs = [(str(before) if item == MASK else "", str(item)) for before, item in neighbours]
    return [(*pair, pairs[:number].count(pair)) for number, pair in enumerate(pairs)]


def to_keep(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a file: what a text would hide is left out, and secrets are in words.

    >>> to_keep({"url": "hf://a/b", "env": {"HF_TOKEN": "swordfish", "A": "1"}, "args": ["--api-key", "swordfish"]})
    {'url': 'hf://a/b', 'env': {'A': '1'}}
    """
    kept = {name: _without_hidden(value, stated[name], name) for name, value in shown(stated).items()}
    return {name: value for name, value in kept.items() if value not in (None, "", [], {})}


def _without_hidden(seen: Any, real: Any, name: str) -> Any:
    if name == "secrets":
        return seen
    if isinstance(seen, Mapping):
        return {key: value for key, value in seen.items() if value == real[key]}
    if isinstance(seen, list):
        kept: list[Any] = []
        for value, known in zip(seen, real, strict=True):
            if value == known:
                kept.append(value)
            elif value == MASK and kept and str(kept[-1]).startswith("-"):
                kept.pop()  # the option whose value this is: it would take the next argument for it
        return kept
    return seen if seen == real else None


def _is_hidden(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_hidden, value.values()))
    return any(map(_is_hidden, value)) if isinstance(value, list) else isinstance(value, str) and MASK in value
