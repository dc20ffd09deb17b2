"""The environment of a container, in Kubernetes' order of precedence."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from .kinds import Object

Data = Callable[[str, "Object"], "dict[str, str] | None"]
"""The data behind a reference to a ``secret`` or ``configMap``; None when it is not there and need not be."""

_KINDS = {"secret": "Secret", "configMap": "ConfigMap"}
_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[^()]+)\)")


class ConfigError(LocalError):
    """The kubelet's CreateContainerConfigError: something that the container refers to does not exist."""


def environment_of(pod: Object, data_of: Data) -> dict[str, str]:
    """The variables of a Pod's first container: ``envFrom`` is weakest, the last of equal names wins.

    Raises:
        ConfigError: a reference that is not optional leads nowhere; in the kubelet's words.
    """
    container, variables = pod["spec"]["containers"][0], dict[str, str]()
    for item, kind in itertools.product(container.get("envFrom") or (), _KINDS):
        if reference := item.get(f"{kind}Ref"):
            data = data_of(kind, reference) or {}
            variables |= {f"{item.get('prefix') or ''}{key}": value for key, value in data.items()}
    for item in container.get("env") or ():
        value = item.get("value", "")
        for kind, name in _KINDS.items():
            if reference := (item.get("valueFrom") or {}).get(f"{kind}KeyRef"):
                referred, key = data_of(kind, reference), reference["key"]
                if referred is not None and key not in referred and not reference.get("optional"):
                    where = f"{name} {pod['metadata']['namespace']}/{reference['name']}"
                    raise ConfigError(f"couldn't find key {key} in {where}")
                value = (referred or {}).get(key)
        if value is not None:
            variables[item["name"]] = expanded(value, variables)
    return {name: value for name, value in variables.items() if name and "=" not in name and "\0" not in name + value}


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """Put variables in for ``$(NAME)`` as Kubernetes does; no shell ever sees the text.

    >>> expanded("$(A) $(B) $$(A)", {"A": "1"})
    '1 $(B) $(A)'
    """
    return _REFERENCE.sub(lambda match: environment.get(match["name"], match[0]) if match["name"] else "$", text)
