"""What is DigitalHub's own: its kinds of functions, what its functions and runs may say, and its labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.field_aliases import spelled
from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.naming import sanitized
from kubeai_notebook.core.notice import MOST_UNKNOWN, Notice, more_unknown, wrong
from kubeai_notebook.core.plain_data import check_fields
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_LABEL = "kubeai-notebook/project"
"""The label of a Model, or of a Secret, that belongs to a project."""
CORE_PROJECT_LABEL, CORE_KIND_LABEL = "dhcore/project", "dhcore/runtime"
"""Labels of the Models that the platform itself makes, in its own spelling."""
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
_NOT_SERVED = frozenset({"description", "embedded", "uuid", "extensions", "log_info"})
"""What the platform writes down beside a function or a run; nothing of it is served."""
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
    form = f'only small letters, digits and "-", {MAX_LABEL_LENGTH} at most'
    raise SpecError([wrong("name", "InvalidName", f"The {of}'s name {quoted(name)} may hold {form}.{fix}")])


def function_fields(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a function, by their names in ModelSpec, with those that its kind decides.

    Raises:
        SpecError: there is no such kind, or a field is not a function's.
    """
    if kind not in KINDS:
        known = " and ".join(KINDS)
        message = f"There is no kind {quoted(kind)} here.{did_you_mean(kind, KINDS)} Functions may be {known}."
        raise SpecError([wrong("kind", "InvalidValue", message)])
    check_fields(given)
    fields, notices = spelled(_served(given))
    misplaced = [field for field in fields if field not in _OF_A_FUNCTION]
    notices += [*map(_misplaced, misplaced[:MOST_UNKNOWN]), *more_unknown(len(misplaced))]
    for field, decided in KINDS[kind].items():
        if fields.setdefault(field, decided) not in (decided, [decided], (decided,)):
            message = f"A function of kind {kind} always has {decided}. Leave {field} out."
            notices.append(wrong(field, "InvalidValue", message))
    if not isinstance(fields.get("url"), str):
        message = 'A function needs a url, such as url="hf://org/model" or url="ollama://smollm2:135m".'
        notices.append(wrong("url", "Required", message))
    if notices:
        raise SpecError(notices)
    return fields


def run_fields(function: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A run's fields together with those of its function.

    Raises:
        SpecError: a field is the function's own, or the url is not one of the function's.
    """
    check_fields(given)
    fields, notices = spelled(_served(given))
    if fields.get("resource_profile") == "":
        del fields["resource_profile"]  # the platform's own default
    notices += [
        wrong(field, "MisplacedField", f"{name} is a field of the function. Give it to new_function({name}=…).")
        for field, name in _OF_A_FUNCTION.items()
        if field in fields and field != "url"
    ]
    url = fields.setdefault("url", function["url"])
    if not str(url).lower().startswith(function["url"].lower()):
        message = f'A run\'s url must start with that of its function, "{function["url"]}". Only a tag may be added.'
        notices.append(wrong("url", "InvalidValue", message))
    if fields.pop("local_execution", False):
        message = "These functions are served by KubeAI. Leave local_execution out."
        notices.append(wrong("local_execution", "InvalidValue", message))
    if notices:
        raise SpecError(notices)
    return {**function, **fields}


def _served(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say what is served; the platform's labels are a list of words, KubeAI's a mapping."""
    words = {"labels"} if isinstance(given.get("labels"), list) else set()
    return {name: value for name, value in given.items() if name not in _NOT_SERVED | words}


def _misplaced(field: str) -> Notice:
    near = did_you_mean(field, _OF_A_FUNCTION.values())
    fix = near or f' If it is a run\'s, give it to run(action="{ACTION}", {field}=…).'
    return wrong(field, "MisplacedField", f'A function has no field "{field[:80]}".{fix}')
