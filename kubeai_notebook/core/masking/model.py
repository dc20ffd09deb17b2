"""Secrets in a Model: in args of both spellings, env, urls and files; to hide there, and to look for elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from .named import looks_random
from .names import STRONG, is_secret_name, strength, words_of
from .spellings import SHORTEST_SECRET
from .text import MASK, joined, masked, own_spans, spans_in

_OPTION = re.compile(r"--[A-Za-z][\w.-]*(?:=.*)?|-[A-Za-z][A-Za-z0-9]{0,2}(?:=.*)?", re.DOTALL)
_LOGINS = frozenset({"-u", "--user", "--proxy-user", "--basic-auth", "--login"})
"""Options whose value is ``user:password``."""
_SEVERAL = frozenset({"api-key", "api-keys"})
"""Options that take several words, as vLLM's do."""
_REFERENCE = re.compile(r"\$\([^)\s]*\)")
_DUMMIES = words_of("none null nil true false empty yes no on off token secret password default dummy")
"""Values that open nothing; looked for everywhere they would only hide words."""
_SECRET_FILE = re.compile(
    r"(?:^|/)(?:\.?netrc|\.git-credentials|\.pgpass|\.pypirc|\.npmrc|\.env(?:\.\w+)?|credentials|kubeconfig"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)|\.dockercfg|\.dockerconfigjson|htpasswd|[^/]*\.(?:key|pem|p12|jks|keytab))$"
    r"|/\.docker/config\.json$|/\.kube/config$|/\.aws/credentials$",
    re.I,
)
_NAMES_A_SECRET = re.compile(r"(?:secret|credential)s?(?:[-_.]?name)?$", re.I)
_LONGEST_VALUE = 20_000
_FILES_KEPT = 24
"""A View asks several times a second for what is secret in the same large files; this many are remembered."""
_MODELS_KEPT = 64
"""As often it asks for what is secret in the same arguments."""
_TEXTS_KEPT = 1_024
"""A form validates at every key that is pressed, and only one of its many short texts is another."""

Place = tuple[int, int]


def hidden_in_args(args: Sequence[str], secrets: Iterable[str] = ()) -> list[tuple[Place, ...]]:
    """For each item the places in it that hold a secret; the word behind ``--api-key`` is one as a whole.

    ``secrets`` are looked for besides, and so is each value that is found, in all items.
    """
    return list(_hidden(tuple(args), tuple(secrets)))


@lru_cache(maxsize=_MODELS_KEPT)
def _hidden(args: tuple[str, ...], secrets: tuple[str, ...]) -> tuple[tuple[Place, ...], ...]:
    places = tuple(_walked(args))
    found = (item[start:end] for item, own in zip(args, places, strict=True) for start, end in own)
    known = tuple(dict.fromkeys(value for value in (*found, *secrets) if len(value) >= SHORTEST_SECRET))
    if not known:
        return places
    return tuple(
        own if own == ((0, len(item)),) else tuple(joined([*own, *own_spans(item, known)]))
        for item, own in zip(args, places, strict=True)
    )


def _walked(args: Sequence[str]) -> Iterator[tuple[Place, ...]]:
    behind = ""
    for item in args:
        if behind and not _OPTION.fullmatch(item):
            yield _whole(item, behind)
            behind = behind if behind.lstrip("-").replace("_", "-").lower() in _SEVERAL else ""
            continue
        yield _in_item(item)
        is_bare = item.startswith("-") and not re.search(r"[=\s]", item)
        behind = item if is_bare and (is_secret_name(item) or item in _LOGINS) else ""


def _whole(item: str, name: str) -> tuple[Place, ...]:
    if not item or _REFERENCE.fullmatch(item) or (name in _LOGINS and not re.search(r":.*\D", item)):
        return ()
    return ((0, len(item)),)


def _in_item(item: str) -> tuple[Place, ...]:
    """``--name=value``, ``NAME=value``, ``--name value`` in one item; otherwise what any text shows."""
    match = re.match(r"(?P<name>-{0,2}[A-Za-z][\w.-]*)(?:=|\s+(?=[^\s-]))", item)
    if match and (match[0].endswith("=") or item.startswith("-")) and is_secret_name(match["name"]):
        start, end = match.end(), len(item)
        if end - start > 1 and item[start] in "'\"" and item[-1] == item[start]:
            start, end = start + 1, end - 1
        return ((start, end),) if start < end and not _REFERENCE.fullmatch(item[start:end]) else ()
    return tuple(spans_in(item))


def masked_args(args: Sequence[str], secrets: Iterable[str] = (), *, mask: str = MASK) -> tuple[str, ...]:
    """The args with every secret in them hidden, and nothing beside it.

    >>> masked_args(["--api-key", "swordfish", "--port", "1"])
    ('--api-key', '***', '--port', '1')
    """
    return tuple(_shown(item, places, mask) for item, places in zip(args, hidden_in_args(args, secrets), strict=True))


def _shown(item: str, places: Iterable[Place], mask: str) -> str:
    for start, end in reversed(tuple(places)):
        item = item[:start] + mask + item[end:]
    return item


def masked_env(env: Mapping[str, str], secrets: Iterable[str] = ()) -> dict[str, str]:
    """The variables, with the values of secret names, and of a secret's shape, hidden."""
    known = tuple(secrets)
    return {name: _masked_value(name, value, known) for name, value in env.items()}


def _masked_value(name: str, value: str, secrets: tuple[str, ...] = ()) -> str:
    if is_secret_name(name):
        return MASK if value and not _REFERENCE.fullmatch(value) else value
    return masked(value, secrets)


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable or argument shows a secret to all who may read the Model."""
    return _masked_value(name, value) != value


def masked_content(path: str, content: str) -> str:
    """What a file holds: all hidden if its path says that it is a secret's."""
    return MASK if is_secret_file(path) else masked(content)


def is_secret_file(path: str) -> bool:
    """Whether a file of this path holds a secret: ``/root/.netrc``, ``/run/secrets/hf-token``."""
    stem = re.sub(r"\.(?:txt|json|ya?ml|env)$", "", path.rpartition("/")[2])
    return _SECRET_FILE.search(path) is not None or "/secrets/" in path or is_secret_name(stem)


def masked_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The ``spec`` of a Model's manifest to show to others: secrets hidden, files by their length only.

    It takes the whole spec: a secret of one field is hidden in all others.
    """
    secrets = secret_values(spec)
    shown: dict[str, Any] = {key: masked_texts(value, secrets) for key, value in spec.items() if key != "files"}
    if isinstance(spec.get("env"), Mapping):
        shown["env"] = masked_env({str(name): str(value) for name, value in spec["env"].items()}, secrets)
    if isinstance(spec.get("args"), list | tuple):
        shown["args"] = list(masked_args([str(item) for item in spec["args"]], secrets))
    if isinstance(spec.get("files"), list | tuple):
        shown["files"] = [_without_content(file, secrets) for file in spec["files"]]
    return {key: shown[key] for key in spec if key in shown}


def _without_content(file: Any, secrets: Sequence[str]) -> Any:
    if not isinstance(file, Mapping):
        return MASK
    content = f"({len(str(file.get('content', '')))} characters)"
    return {**masked_texts({**file, "content": ""}, secrets), "content": content}


def masked_texts(value: Any, secrets: Sequence[str] = ()) -> Any:
    """Plain data with every secret in its texts hidden, however deep they lie."""
    if isinstance(value, Mapping):
        return {key: masked_texts(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_texts(item, secrets) for item in value]
    return masked(value, secrets) if isinstance(value, str) else value


def secret_values(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Every secret that stands in the ``spec`` of a Model's manifest, the longest first.

    Values of secret names in args and env, what has a secret's shape in any of them, logins in
    urls, what files hold that are a secret's, and in a ModelSpec's fields the values of ``secrets``; of
    what stands beside a spec, ``annotations``. Short ones and dummies such as ``none`` are left out.
    """
    values = {part for value in _values(spec) for part in _parts(value.strip())}
    return tuple(sorted(values, key=lambda value: (-len(value), value)))


def _parts(value: str) -> Iterator[str]:
    """The value, and where it has several lines each of them: a log shows them one by one."""
    if SHORTEST_SECRET <= len(value) <= _LONGEST_VALUE and value.lower() not in _DUMMIES:
        yield value
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= 2 * SHORTEST_SECRET)


def _values(spec: Mapping[str, Any]) -> Iterator[str]:
    args = spec.get("args")
    items = [str(item) for item in args] if isinstance(args, list | tuple) else []
    for before, item, places in zip(["", *items], items, hidden_in_args(items), strict=False):
        yield from (item[start:end] for start, end in places)
        if places and before in _LOGINS:
            yield item.partition(":")[2]
    env = spec.get("env")
    for name, given in env.items() if isinstance(env, Mapping) else ():
        yield from values_of_variable(str(name), str(given))
    notes = spec.get("annotations")
    for name, given in notes.items() if isinstance(notes, Mapping) else ():
        yield from _in_annotation(str(name), str(given))
    yield from _found(str(spec.get("url") or ""))
    for adapter in _mappings(spec.get("adapters")):
        yield from _found(str(adapter.get("url") or ""))
    for file in _mappings(spec.get("files")):
        yield from _in_file(str(file.get("path") or ""), str(file.get("content") or ""))
    for secret in _mappings(spec.get("secrets")):
        value: Any = secret.get("value")
        if hasattr(value, "get_secret_value"):
            yield value.get_secret_value()


def values_of_variable(name: str, value: str) -> Iterator[str]:
    """The secrets in an environment variable: the whole value, or the parts of it that look like one."""
    if is_secret_name(name):
        if not _REFERENCE.fullmatch(value):
            yield value
    else:
        yield from _found(value)


def _in_annotation(name: str, value: str) -> Iterator[str]:
    """The secrets in an annotation; a word behind ``auth-secret`` names a Secret, and is none itself."""
    if strength(name.rpartition("/")[2]) == STRONG and looks_random(value) and not _NAMES_A_SECRET.search(name):
        yield value
    else:
        yield from _found(value)


@lru_cache(maxsize=_TEXTS_KEPT)
def _found(text: str) -> tuple[str, ...]:
    secrets = []
    for start, end in spans_in(text):
        secrets.append(text[start:end])
        # "user:password" of a url: a log may show the password alone.
        user, colon, password = text[start:end].partition(":")
        if colon and user and text[max(0, start - 3) : start] == "://":
            secrets.append(password)
    return tuple(secrets)


@lru_cache(maxsize=_FILES_KEPT)
def _in_file(path: str, content: str) -> tuple[str, ...]:
    words = list(_found.__wrapped__(content))  # remembered here already
    if is_secret_file(path):
        if len(content.split()) == 1:
            words.append(content)
        for line in content.splitlines():
            words += re.findall(r"[^\s\"',;:=]{8,}$", line.strip())
    return tuple(words)


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (item for item in value if isinstance(item, Mapping)) if isinstance(value, list | tuple) else ()
