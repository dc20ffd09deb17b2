"""The form's controls: one for each field of a Model, and which of them are folded away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ipywidgets import Checkbox, Combobox, Text

from kubeai_notebook.core.engine_arguments import KNOWN
from kubeai_notebook.core.field_aliases import ASK, read_fields
from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.model_fields import FIELD_DOCS
from kubeai_notebook.core.model_spec import ENGINES, FEATURES
from kubeai_notebook.present.field_words import label_of
from kubeai_notebook.present.form_wire import RowColumn
from kubeai_notebook.views.form_widgets import Choices, Number, Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import SecretStr

SHOWN = ("url", "engine", "name", "features", "resource_profile", "adapters", "args", "env", "secrets", "files")
"""The fields that are always seen, in the order in which they are decided; the others are folded away."""
FOLDED = tuple(field.name for field in sorted(FIELDS, key=lambda field: not field.within) if field.name not in SHOWN)
"""Scaling first."""

_COLUMNS: Mapping[str, tuple[RowColumn, ...]] = {
    "adapters": (
        RowColumn(title="Name of the adapter", placeholder="colorist"),
        RowColumn(title="Url of the adapter", placeholder="hf://org/lora"),
    ),
    "args": (RowColumn(title="Argument", placeholder="--max-model-len=8192"),),
    "env": (RowColumn(title="Variable", placeholder="NAME"), RowColumn(title="Value", placeholder="value")),
    "secrets": (RowColumn(title="Secret, or VARIABLE=secret:key", placeholder="hf-token or HF_TOKEN=hf-token:token"),),
    "files": (
        RowColumn(title="Path in the Pod", placeholder="/config/template.jinja"),
        RowColumn(title="Content", multiline=True),
    ),
    "labels": (RowColumn(title="Label", placeholder="team"), RowColumn(title="Value", placeholder="value")),
}
_ROWS = {"adapters": ("name", "url"), "files": ("path", "content")}
_SUGGESTED = {"engine": ENGINES, "strategy": ("LeastLoad", "PrefixHash")}
_COMBINED = ("url", "engine", "resource_profile", "cache_profile", "priority_class_name", "strategy")


def controls() -> dict[str, Any]:
    """A control for every field, by the field's name; each has a ``value`` that can be observed and set."""
    options = {field.name: field.option for field in FIELDS}
    made: dict[str, Any] = {}
    for name in (*SHOWN, *FOLDED):
        option = options[name]
        help_text = FIELD_DOCS.get(name) or (option.help if option else "")
        made[name] = _control(name, option.takes if option else "text", help_text)
    return made


def _control(name: str, takes: str, help_text: str) -> Any:
    label = label_of(name)
    if name == "features":
        return Choices(label, FEATURES, help_text)
    if name in _COLUMNS:
        return Rows(label, _COLUMNS[name], uploads=name == "files")
    if takes == "number":
        return Number(label=label, help=help_text)
    if takes == "switch":
        return Checkbox(description=label, indent=False, tooltip=help_text)
    style, layout = {"description_width": "128px"}, {"width": "auto"}
    common = {"description": label, "tooltip": help_text, "style": style, "layout": layout}
    if name in _COMBINED:
        return Combobox(options=_SUGGESTED.get(name, ()), **common)
    return Text(**common)


def shown_value(name: str, value: Any) -> Any:
    """A field's value, however it was spelled, as its control holds it; what is not stated is empty.

    >>> shown_value("adapters", [{"name": "a", "url": "hf://org/lora"}]), shown_value("features", "chat")
    ([('a', 'hf://org/lora')], ('TextGeneration',))
    """
    if name in _COLUMNS or name == "features":
        value = read_fields({name: value})[0].get(name)
    if name in _ROWS:
        first, second = _ROWS[name]
        return [(str(row.get(first, "")), str(row.get(second, ""))) for row in value or ()]
    if name in _COLUMNS or name == "features":
        return dict(value or {}) if len(_COLUMNS.get(name, ())) > 1 else tuple(value or ())
    if name == "autoscaling_disabled":
        return bool(value)
    return value if value is not None or not _is_text(name) else ""


def secrets_apart(secrets: Any) -> tuple[tuple[str, ...], dict[str, SecretStr]]:
    """The secrets that are named, as rows, and those that have a value, by their variables."""
    named, values = [], {}
    rows = secrets.items() if isinstance(secrets, Mapping) else secrets or ()
    for row in rows:
        given = {row[0]: row[1]} if isinstance(secrets, Mapping) else [row]
        secret = next(iter(shown_value("secrets", given)), None)
        if secret is None:  # what is wrong stays as it was written, to be mended
            named.append("=".join(map(str, row)) if isinstance(row, tuple) else str(row))
        elif secret.get("value") and secret["value"].get_secret_value():
            values[secret["env"]] = secret["value"]
        elif "value" in secret:
            named.append(f"{secret['env']}={ASK}")
        else:
            named.append(secret.get("name") or f"{secret['env']}={secret['secret']}:{secret['key']}")
    return tuple(named), values


def _is_text(name: str) -> bool:
    option = next(field.option for field in FIELDS if field.name == name)
    return name not in _COLUMNS and (option is None or option.takes == "text")


def arguments_of(engine: str) -> Iterable[str]:
    """The arguments that an engine is known to take, as they are written."""
    return sorted(f"--{name}=" for name in KNOWN.get(engine, ()))
