"""From a line's options to the fields of a ModelSpec, and a cell's YAML over them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.source_spellings import names_and_urls
from kubeai_notebook.errors import SpecError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from kubeai_notebook.core.fields import Field, Option

    from .parser import MagicParser


_BESIDE: Mapping[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "resource_profile": (
        ("--processors", {"type": int, "metavar": "N", "help": "units of the profile, as in --profile NAME:N"}),
        (
            "--resource",
            {
                "action": "append",
                "metavar": "NAME=AMOUNT",
                "help": "gpu=1, cpu=4, memory=24Gi: chooses the profile",
            },
        ),
    ),
    "secrets": (
        (
            "--project",
            {"metavar": "PROJECT", "help": "--secret NAME then means this project's secret, as in the platform"},
        ),
    ),
}
"""Options that are no field of a Model, by the field that they help to state."""
_SEE = {"resource_profile": "; %%kubeai_doctor lists the names"}
_TAKES: Mapping[str, dict[str, Any]] = {
    "text": {},
    "number": {"type": int},
    "switch": {"action": "store_true", "default": None},
    "texts": {"action": "append"},
    "pairs": {"action": "append"},
}


def add_to(parser: MagicParser) -> None:
    """Add the options that say what a Model is: those of `core.fields`, and a few that help to state them."""
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="name of the Model, or its url")
    add("place", nargs="?", metavar="URL", help="its url, behind the name; --url says the same")
    add("--name", "--model-name", dest="stated_name", metavar="NAME", help="its name, where a url stands first")
    groups = {title: parser.add_argument_group(title).add_argument for title in _GROUPS}
    for field in FIELDS:
        add_to_group = groups[_group_of(field)]
        if option := field.option:
            settings = {"help": option.help + _SEE.get(field.name, ""), **_TAKES[option.takes]}
            settings |= {"metavar": option.metavar} if option.metavar else {}
            add_to_group(*option.flags, dest=field.name, **settings)
        for flag, settings in _BESIDE.get(field.name, ()):
            add_to_group(flag, **settings)
    add("--raw", action="store_true", help="leave {{…}} in the cell as it is")


_GROUPS = ("what is served", "how it runs", "replicas", "load balancing among replicas")
_SERVED = ("name", "namespace", "url", "engine", "features", "adapters")


def _group_of(field: Field) -> str:
    """The title under which a field's options stand in the help."""
    if field.within:
        return _GROUPS[1 + len(field.within)]
    return _GROUPS[0] if field.name in _SERVED else _GROUPS[1]


def fields_of_line(options: argparse.Namespace) -> dict[str, Any]:
    """What a line says; fields that it leaves out are not there."""
    given = vars(options)
    stated: dict[str, Any] = {"processors": given["processors"]}
    for field in FIELDS:
        if field.option and given[field.name] is not None:
            holder = stated
            for part in field.within:
                holder = holder.setdefault(part, {})
            holder[field.name] = _value(field.option, given[field.name])
    stated |= _named(given)
    stated["args"] = [*stated.get("args", []), *given["rest"]]
    adapters, files = stated.get("adapters", {}), _local(stated.get("files", {}))
    stated["adapters"] = [{"name": name, "url": url} for name, url in adapters.items()]
    stated["files"] = [{"path": path, "content": content_of(local)} for path, local in files.items()]
    stated["resources"] = _pairs("--resource", given["resource"], like="gpu=1")
    return {name: value for name, value in stated.items() if value not in (None, "", [], {})}


def _value(option: Option, value: Any) -> Any:
    return _pairs(option.flags[0], value, like=option.like) if option.takes == "pairs" else value


def laid_over(given: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The line's fields under those of a cell's YAML; maps (env, labels, scaling) are joined, lists replaced.

    Raises:
        SpecError: the YAML cannot be read, or gives one field twice.
    """
    from kubeai_notebook.core.documents import described_in
    from kubeai_notebook.core.field_aliases import fields_of
    from kubeai_notebook.core.plain_data import check_fields
    from kubeai_notebook.core.yaml_text import UnreadableYamlError

    try:
        parts = described_in(text)
    except UnreadableYamlError as error:
        raise SpecError([wrong("", "InvalidYaml", f"The cell's YAML {error}.")]) from None
    if len(parts) > 1 or any(part.in_catalog for part in parts):
        raise UsageError(f"The cell describes {len(parts)} Models of their own.", "%%kubeai_apply takes them.")
    body = parts[0].fields if parts else {}
    if parts and parts[0].notices:
        raise SpecError(parts[0].notices)
    check_fields(body)
    if "kind" in body or "apiVersion" in body:
        raise UsageError("The cell holds a whole Model of Kubernetes.", "%%kubeai_apply takes it as it is.")
    # Processors count the profile, which the line may have named.
    profile = {"resource_profile": given["resource_profile"]} if _lacks_profile(body, given) else {}
    over = fields_of({**profile, **body})
    if "resource_profile" in over or "resources" in over:
        given = {
            key: value for key, value in given.items() if key not in ("processors", "resources", "resource_profile")
        }
    return {**given, **{key: _joined(given.get(key), value) for key, value in over.items()}}


def with_values(secrets: list[Any], ask: Callable[[str], str]) -> list[Any]:
    """The secrets; each ``NAME=ask`` with the value that the user types now, where no notebook keeps it.

    Raises:
        UsageError: there is nobody to ask.
    """
    from kubeai_notebook.core.field_aliases import read_fields

    rows, wrong_ones = read_fields({"secrets": secrets})
    if wrong_ones:
        return secrets  # the rules say what is wrong, with all other fields
    return [_given(row, ask) for row in rows["secrets"]]


def _given(row: Any, ask: Callable[[str], str]) -> Any:
    from pydantic import SecretStr

    if not isinstance(row, dict) or "value" not in row or row["value"].get_secret_value():
        return row
    try:
        return {**row, "value": SecretStr(ask(f"{row['env']}: "))}
    except (EOFError, OSError, RuntimeError):  # nobody is there, or the front end has no input
        message = f"The value of {row['env']} cannot be asked for here."
        raise UsageError(message, f"Name a key of a Secret: --secret {row['env']}=SECRET:KEY.") from None


def secret_names(given: Mapping[str, Any]) -> list[Any]:
    """The secrets as they were written: a bare name as text."""
    secrets = given.get("secrets") or []
    return [secret["name"] if isinstance(secret, dict) and secret.keys() == {"name"} else secret for secret in secrets]


def _lacks_profile(body: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    own = {"profile", "resource_profile", "resourceProfile"} & body.keys()
    return "processors" in body and "resource_profile" in given and not own


def _joined(below: Any, above: Any) -> Any:
    return {**below, **above} if isinstance(below, dict) and isinstance(above, dict) else above


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """The name, and the url where it stands in the name's place or behind it."""
    words = [word for word in (given["name"], given["place"]) if word is not None]
    if not all(words):
        raise UsageError("The name or the url is an empty text.", "Leave it out, and it is inferred.")
    names, urls = names_and_urls(words)
    names += filter(None, [given["stated_name"]])
    if len(urls) + bool(given["url"]) > 1:
        raise UsageError("The line has two urls.", "Give one of them: behind the name, or after --url.")
    if len(names) > 1:
        raise UsageError(f"The line has two names, {quoted(names[0])} and {quoted(names[1])}.", "Give one of them.")
    return {"name": names[0] if names else None, **({"url": urls[0]} if urls else {})}


def _pairs(option: str, texts: list[str] | None, *, like: str) -> dict[str, str]:
    pairs = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            # The text is not repeated: somebody may have put a secret there.
            raise UsageError(f"{option} needs NAME=VALUE.", f"Write it like {option} {like}.")
        if name in pairs:
            raise UsageError(f"{option} is given twice for {quoted(name)}.", "Give it once.")
        pairs[name] = value
    return pairs


def _local(files: Mapping[str, str]) -> dict[str, str]:
    if any(not local.startswith("@") for local in files.values()):
        raise UsageError("--file needs PATH=@LOCAL.", "Write it like --file /config/template.jinja=@template.jinja.")
    return {path: local[1:] for path, local in files.items()}


def content_of(local: str) -> str:
    """The text of a file of this machine; how it cannot be read is a UsageError."""
    path = Path(local).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f'The file "{local}" cannot be read here: {reason}.', f"The kernel works in {Path.cwd()}."
        ) from None
    except UnicodeDecodeError:
        hint = "KubeAI mounts text of up to 100,000 characters; anything else goes into the image or a volume."
        raise UsageError(f'The file "{local}" is not UTF-8 text.', hint) from None
