"""A project's secrets: the keys of one Secret of the namespace, which no Model reads by itself."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from kubeai_notebook.cluster.client import CORE
from kubeai_notebook.core.digitalhub import PROJECT_LABEL
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.errors import NotFoundError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.client import Cluster


@dataclass(frozen=True)
class ProjectSecret:
    """A secret of a project, by its name: the value stays in the cluster."""

    name: str
    project: str


def names(cluster: Cluster, project: str) -> list[str]:
    """The names of all secrets of the project, sorted.

    Raises:
        ForbiddenError: Secrets may not be read here.
    """
    return sorted(_data(cluster, project))


def store(cluster: Cluster, project: str, values: Mapping[str, str | SecretStr]) -> None:
    """Add secrets to the project; one that is there gets the new value, and Models keep what they started with.

    Raises:
        SpecError: a name that no environment variable can have, or a value that is no text.
    """
    for name, value in values.items():
        _check(name, value)
    secret = _encoded(project, {name: _text(value) for name, value in values.items()})
    cluster.write_secret(secret)


def drop(cluster: Cluster, project: str, name: str) -> None:
    """Take one secret away.

    Raises:
        SpecError: the project has none of this name.
    """
    _require(name, project, known=_data(cluster, project))
    cluster.patch(cluster.path(CORE, "secrets", secret_name(project)), {"data": {name: None}})


def granted(cluster: Cluster, project: str, wanted: Any) -> Any:
    """A run's ``secrets``, with the project's own by their values, which go into the Model's own Secret.

    The other secrets of the project stay out of the Model's Pods. ``ENV=<secret>:<key>`` and mappings
    go past the project, to Secrets of the namespace.

    Raises:
        SpecError: the project has no such secret.
    """
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(wanted, list | tuple | set | frozenset):
        return wanted  # a mapping says where each comes from; the field's own check words anything else
    own = [name for name in wanted if isinstance(name, str) and "=" not in name]
    data = _data(cluster, project) if own else {}
    for name in own:
        _require(name, project, known=data)
    values = [{"env": name, "value": SecretStr(b64decode(data[name]).decode())} for name in dict.fromkeys(own)]
    return [*values, *(item for item in wanted if item not in own)]


def secret_name(project: str) -> str:
    """The Secret that holds a project's; the dot keeps it apart from those of Models."""
    return f"kubeai-notebook.project.{project}"


def _data(cluster: Cluster, project: str) -> Mapping[str, str]:
    """Values in base64, by name."""
    try:
        return cluster.secret(secret_name(project)).get("data") or {}
    except NotFoundError:
        return {}


def _encoded(project: str, values: Mapping[str, str]) -> dict[str, Any]:
    data = {name: b64encode(value.encode()).decode() for name, value in values.items()}
    metadata = {"name": secret_name(project), "labels": {PROJECT_LABEL: project}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _check(name: str, value: str | SecretStr) -> None:
    """Neither sentence shows the value."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,252}", name):
        message = f"The secret's name {quoted(name)} becomes a variable: write it with letters, digits and _ only."
        raise SpecError([wrong("name", "InvalidName", message)])
    if not isinstance(value, str | SecretStr) or not _text(value):
        message = f"The secret {name} needs a value: secret_value must be text, and not empty."
        raise SpecError([wrong("secret_value", "WrongType", message)])


def _require(name: str, project: str, *, known: Mapping[str, Any]) -> None:
    if name not in known:
        none_yet = "" if known else " It has none so far."
        fix = f'Make it with: project.new_secret("{name}", secret_value=…)'
        message = f'The project "{project}" has no secret "{name}".{none_yet}{did_you_mean(name, known)} {fix}'
        raise SpecError([wrong("secrets", "SecretNotFound", message)])
