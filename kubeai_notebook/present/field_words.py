"""What a field is called where its reader sees it: its label in a form, its option in a line, its parameter in Python.

Rules and errors say fields as Python does (``scaling.min_replicas``), since every face is served by them. The reader of
a form has never seen that word. What stands in quotation marks may be the user's own, and stays, but for the name
behind ``field``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABELS = {
    "url": "Model url",
    "resource_profile": "Resource profile",
    "args": "Engine arguments",
    "env": "Environment",
    "secrets": "Secrets",
    "files": "Files",
    "adapters": "LoRA adapters",
    "autoscaling_disabled": "No autoscaling",
    "scale_down_delay_seconds": "Scale-down delay, seconds",
    "strategy": "Load balancing",
    "mean_load_factor": "Mean load factor, percent",
    "priority_class_name": "Priority class",
}
_OPTIONS = {field.name: field.option.flags[0] for field in FIELDS if field.option}
_PATHS = {".".join(field.path): field.name for field in FIELDS}
# A word of English, such as "name" or "image", is no field's unless it stands behind "field".
_NAMES = _PATHS | {field.name: field.name for field in FIELDS} | {"scaling.load_balancing": "strategy"}
_TECHNICAL = "|".join(sorted((re.escape(name) for name in _NAMES if "_" in name or "." in name), key=len, reverse=True))
_QUOTED = re.compile(
    r'(?<!no )\b(?P<the>(?:[Tt]he )?field) "(?P<name>[a-z_.]+)(?:\[(?P<place>\d+)\](?:\.(?P<part>\w+))?)?"'
)
_BARE = re.compile(rf'"[^"\n]*"|(?<![\w./%-])(?P<name>{_TECHNICAL})(?![\w=/-]|\.\w)')
_VARIABLE = re.compile(r'"[^"\n]*"|(?<![\w./-])env\.(?P<variable>[A-Za-z_]\w*)')
_PART = re.compile(r'"[^"\n]*"|(?<![\w./=-])(?P<name>env|args)(?![\w/=-]|\.\w)')
_IN_A_FORM = {
    "Give it as a SecretStr, or name": "Type its value below the secrets, or name",
    ", which Python takes as a SecretStr": "",
    ", or a pydantic SecretStr": ", or a value that is typed below the secrets",
}
_IN_A_LINE = {
    "Give it as a SecretStr, or name": "Give it when it is asked for, or name",
    ", which Python takes as a SecretStr": "",
    ", or a pydantic SecretStr": ", or ENV=ask, whose value is asked for",
}


def label_of(name: str) -> str:
    """What a field is called in a form."""
    return _LABELS.get(name, name.replace("_", " ").capitalize())


def label_of_path(path: str) -> str:
    """The label of the field that a Notice names by its path.

    >>> label_of_path("scaling.min_replicas"), label_of_path("secrets[0]"), label_of_path("env.HF_HOME")
    ('Min replicas', 'Secrets', 'Environment')
    """
    whole = path.partition("[")[0]
    return label_of(_NAMES.get(whole) or whole.partition(".")[0])


def in_form(text: str) -> str:
    """The sentence with labels in place of the parameters that it names.

    >>> in_form('The field "scaling.min_replicas" must be 0 or more. Set scaling.max_replicas, or env.HF_HOME.')
    'The field "Min replicas" must be 0 or more. Set "Max replicas", or the variable HF_HOME.'
    """
    text = _said(text, _IN_A_FORM)
    text = _QUOTED.sub(lambda found: f"{found['the']} {_label(found)}", text)
    text = _VARIABLE.sub(lambda found: f"the variable {found['variable']}" if found["variable"] else found[0], text)
    for pattern in (_BARE, _PART):
        text = pattern.sub(lambda found: f'"{label_of(_NAMES[found["name"]])}"' if found["name"] else found[0], text)
    return text


def in_line(text: str) -> str:
    """The sentence with the options of a line in place of the parameters that it names.

    >>> in_line('The field "scaling.min_replicas" must be 0 or more. Set scaling.max_replicas, or env.HF_HOME.')
    '--min-replicas must be 0 or more. Set --max-replicas, or --env HF_HOME.'
    """
    text = _said(text, _IN_A_LINE)
    text = _QUOTED.sub(
        lambda found: found[0] if found["place"] else _OPTIONS.get(_NAMES.get(found["name"], ""), found[0]), text
    )
    text = _VARIABLE.sub(lambda found: f"--env {found['variable']}" if found["variable"] else found[0], text)
    return _BARE.sub(lambda found: _OPTIONS.get(_NAMES.get(found["name"] or "", ""), found[0]), text)


def _said(text: str, words: Mapping[str, str]) -> str:
    for python, face in words.items():
        text = text.replace(python, face)
    return text


def _label(found: re.Match[str]) -> str:
    """The label in quotation marks and, of a list, which row of it and which part of that row are meant."""
    name, row, part = _NAMES.get(found["name"]), found["place"], found["part"]
    place = ", ".join(filter(None, [row and f"row {int(row) + 1}", part]))
    return f'"{label_of(name) if name else found["name"]}"' + (f" ({place})" if place else "")
