"""The four texts that stand for the fields of a Model: a summary, YAML, a magic and Python; `core.pasted` reads them.

They are shown in a page and copied into notebooks that others read, so no secret is in them: the value of a secret is
``NAME=ask`` (in Python a question for it), and what looks like a secret among variables and arguments is hidden.

A line of a magic is split into words as a shell does it, and values of variables are put there. What such a line
cannot hold (line feeds, ``$name``, ``{name}``, a file's text) stands below it as the cell's YAML.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeai_notebook.core import inference
from kubeai_notebook.core.field_aliases import ASK, nested
from kubeai_notebook.core.fields import FIELDS_BY_NAME
from kubeai_notebook.core.manifest import (
    SECRETS_ANNOTATION,
    cleaned,
    dumped,
    own_secret_entries,
    own_secret_name,
    to_manifest,
)
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.messages import what_it_does
from kubeai_notebook.core.source import Source
from kubeai_notebook.core.source_spellings import names_and_urls
from kubeai_notebook.core.stated import secret_words, shown, stated_fields, without_secrets
from kubeai_notebook.present.field_words import in_form, label_of_path
from kubeai_notebook.text import LONGEST, one_line, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.fields import Field
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.core.spec import Draft

_IMPORT = "from kubeai_notebook import serve\n"
_WIDTH = 100
"""Characters of a call in Python that stays in one line."""
# What a line's reader would take for a variable of the user's, or for the place of its value.
_FILLED = re.compile(r"\{[A-Za-z_]|\$[A-Za-z_]|[\ue000\ue001]")
_INFERRED = ("name", "engine", "features", "resource_profile")


class Texts(NamedTuple):
    """One set of fields in four ways; the last three are read back by ``FormModel.paste``."""

    summary: str
    yaml: str
    magic: str
    python: str
    problem: str = ""
    """Why none of them would run; ``""``: each would."""


def texts_of(fields: Mapping[str, Any], draft: Draft, *, default_profile: str = "cpu", short: bool = True) -> Texts:
    """The texts of flat fields (`core.field_aliases.flattened`), and of the Draft that was made of them.

    ``short`` leaves out what would be inferred just so. Of a Model that is there everything is stated: a field that
    is left out stays there as it is, or goes.
    """
    stated = shown(stated_fields(fields, draft.spec))
    if short:
        stated = _without_inferred(stated, default_profile)
    yaml = _manifest_text(draft.spec) if draft.spec else dumped(nested(stated)) if stated else ""
    return Texts(_summary(draft), yaml, _magic(stated), _python(stated), _problem(draft))


def _problem(draft: Draft) -> str:
    """The field that stops it, the first of those that are wrong, and how many others do."""
    if not draft.errors:
        return ""
    first, *others = draft.errors
    more = f" {len(others)} more {'are' if len(others) > 1 else 'is'} wrong." if others else ""
    return plain(f"Nothing to run yet. {_sentence(first)}{more}")


def _sentence(notice: Notice) -> str:
    """A Notice behind the label of its field, where the sentence does not name that."""
    said = in_form(" ".join([notice.message, *(remedy.title for remedy in notice.remedies)]))
    return f"{label_of_path(notice.field)}: {said}" if str(notice).startswith(f"{notice.field}: ") else said


def _without_inferred(stated: Mapping[str, Any], default_profile: str) -> dict[str, Any]:
    url = stated.get("url")
    if not isinstance(url, str):
        return dict(stated)
    inferred, _ = inference.complete({"url": url}, Source(url), default_profile=default_profile)
    inferred["resource_profile"] = _with_multiple(inferred["resource_profile"])
    return {name: value for name, value in stated.items() if name not in _INFERRED or value != inferred[name]}


def _with_multiple(profile: str) -> str:
    return profile if ":" in profile else f"{profile}:1"


def _manifest_text(spec: ModelSpec) -> str:
    manifest = cleaned(to_manifest(spec))
    manifest["spec"] = without_secrets(manifest["spec"], spec.given_values)
    words = secret_words(spec.secrets)
    if all(isinstance(word, str) and "=" not in word for word in words):
        return dumped(manifest)
    # kubectl knows whole Secrets only; what is read back of this text are the secrets as they were given.
    if all(isinstance(word, str) for word in words):
        manifest["metadata"].setdefault("annotations", {})[SECRETS_ANNOTATION] = shlex.join(words)
    own = ", ".join(entry.env for entry in own_secret_entries(spec))
    note = one_line(
        f"kubectl does not make the Secret {own_secret_name(spec.name)}, which holds {own}; %kubeai_serve does."
    )
    return (f"# {note}\n" if own else "") + dumped(manifest)


def _magic(stated: Mapping[str, Any]) -> str:
    words: list[str] = []
    behind: list[str] = []
    body: dict[str, Any] = {}
    # The reader wants name and url side by side.
    for name, value in sorted(stated.items(), key=lambda item: item[0] == "namespace"):
        own = _words(FIELDS_BY_NAME[name], value)
        if own is None or not all(word.isprintable() and not _FILLED.search(word) for word in own):
            body[name] = value
        elif name == "args":
            behind = ["--", *own]
        else:
            words += own
    text = dumped(nested(body)) if body else ""
    words += ["--raw"] if "{{" in text else []
    line = shlex.join([*words, *behind])
    return f"%%kubeai_serve {line}".rstrip() + f"\n{text}" if body else f"%kubeai_serve {line}".rstrip()


def _words(field: Field, value: Any) -> list[str] | None:
    """How a line states a field; ``None`` where it cannot."""
    if field.name in ("name", "url", "namespace"):
        place = {"name": ([value], []), "url": ([], [value])}.get(field.name)
        return [value] if place == names_and_urls([value]) else _option(f"--{field.name}", value)
    if field.name == "args":
        return list(value)
    if field.option is None or field.name == "files":
        return None
    flag, takes = field.option.flags[0], field.option.takes
    if takes == "switch":
        return [flag]
    if takes == "pairs":
        pairs = [(row["name"], row["url"]) for row in value] if isinstance(value, list) else list(value.items())
        if len({name for name, _ in pairs}) < len(pairs) or any(not name or "=" in name for name, _ in pairs):
            return None
        return [word for name, text in pairs for word in _option(flag, f"{name}={text}")]
    if takes == "texts":
        words = [word for text in value if isinstance(text, str) for word in _option(flag, text)]
        return words if all(isinstance(text, str) for text in value) else None
    return _option(flag, str(value))


def _option(flag: str, value: str) -> list[str]:
    return [f"{flag}={value}"] if value.startswith("-") or not value else [flag, value]


def _python(stated: Mapping[str, Any]) -> str:
    fields = dict(stated)
    asked = any(isinstance(word, str) and word.endswith(f"={ASK}") for word in fields.get("secrets", ()))
    first = [word for word in (fields.get("name"), fields.get("url")) if word is not None]
    names, urls = names_and_urls(first)
    positional = [*names, *urls] == first and max(len(names), len(urls)) < 2
    arguments = [repr(fields.pop(name)) for name in ("name", "url") if positional and name in fields]
    balancing = nested(fields).get("scaling", {}).get("load_balancing")
    flat = {name: value for name, value in fields.items() if len(FIELDS_BY_NAME[name].within) < 2}
    for name, value in {**flat, **({"load_balancing": balancing} if balancing else {})}.items():
        arguments.append(f"{name}={_secrets_in_python(value) if name == 'secrets' else repr(value)}")
    call = f"serve({', '.join(arguments)})"
    if len(call) > _WIDTH:
        call = "serve(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
    if asked:
        return f"from getpass import getpass\n\n{_IMPORT}from pydantic import SecretStr\n\n{call}"
    return f"{_IMPORT}\n{call}"


def _secrets_in_python(words: list[Any]) -> str:
    """Names as a list, or where only variables are given a mapping of each to its key or its value."""
    pairs = [word.partition("=") if isinstance(word, str) else None for word in words]
    envs = [pair[0] for pair in pairs if pair and pair[1]]
    if len(set(envs)) == len(words):
        return "{" + ", ".join(f"{env!r}: {_value(env, source)}" for env, _, source in filter(None, pairs)) + "}"
    return "[" + ", ".join(_secret_item(word) for word in words) + "]"


def _secret_item(word: Any) -> str:
    env, equals, source = word.partition("=") if isinstance(word, str) else ("", "", "")
    return f'{{"env": {env!r}, "value": {_value(env, source)}}}' if equals and source == ASK else repr(word)


def _value(env: str, source: str) -> str:
    return f"SecretStr(getpass({env!r}))" if source == ASK else repr(source)


def _summary(draft: Draft) -> str:
    """What the fields mean, for a reader who knows none of the three languages."""
    spec, lines = draft.spec, []
    if spec is not None:
        does = what_it_does(spec.features)
        lines.append(f"{spec.name} serves {masked(spec.url)} with {spec.engine}" + (f"; it {does}." if does else "."))
        lines.append(f"Each replica runs on {spec.resource_profile}. {_replicas(spec)}")
        lines += [f"{label_of_path(inferred.field)}: {inferred.value} ({inferred.why})" for inferred in spec.inferred]
    elif draft.errors:
        lines.append("Nothing to run yet:")
    words = {"error": "-", "warning": "warning:"}
    lines += [f"{words[notice.severity]} {_sentence(notice)}" for notice in draft.notices if notice.severity in words]
    return plain("\n".join(lines), LONGEST)


def _replicas(spec: ModelSpec) -> str:
    scaling = spec.scaling
    if scaling.autoscaling_disabled:
        return f"It keeps {scaling.replicas or 0} of them."
    if not scaling.min_replicas:
        most = f", and up to {scaling.max_replicas} run under load" if scaling.max_replicas else ""
        return f"It sleeps when nobody asks{most}."
    most = f" and at most {scaling.max_replicas}" if scaling.max_replicas else ""
    return f"At least {scaling.min_replicas}{most} run."
