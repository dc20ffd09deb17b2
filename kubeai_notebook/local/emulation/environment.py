"""The environment of a container, in Kubernetes' order of precedence."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from .kinds import Object

Data = Callable[[str, "Object"], "dict[str, str] | None"]
"""The data behind a reference to a ``secret`` or ``configMap``; None when it is not there and need not be."""

_KINDS = {"secret": "Secret", "configMap": "ConfigMap"}
_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[^()]+)\)")


class ConfigError(LocalError):
    """The kubelet's CreateContainerConfigError: the container refers to what does not exist, or is given too much."""


@dataclass(slots=True)
class Room:
    """What is left of what a container may be given: variables that name each other twice double with each line."""

    left: int = 1 << 20
    """Characters, in all. An API object holds hardly more, and Linux takes 128 KiB in one variable or argument."""

    def take(self, text: str, what: str) -> str:
        """The text, once there is room for it; else a ConfigError that names ``what``."""
        self.left -= len(text)
        if self.left < 0:
            beyond = "comes, with all before it, to more than 1 MiB of text, which no process can be given"
            raise ConfigError(f"{what} {beyond}: shorten it, or what its $(…) stand for")
        return text


def environment_of(pod: Object, data_of: Data) -> dict[str, str]:
    """The variables of a Pod's first container: ``envFrom`` is weakest, the last of equal names wins.

    Raises:
        ConfigError: a reference that is not optional leads nowhere, in the kubelet's words; or they are too long.
    """
    container, variables, room = pod["spec"]["containers"][0], dict[str, str](), Room()
    for item, kind in itertools.product(container.get("envFrom") or (), _KINDS):
        if reference := item.get(f"{kind}Ref"):
            data = data_of(kind, reference) or {}
            for key, content in data.items():
                variable = f"{item.get('prefix') or ''}{key}"
                room.take(variable + content, f'The variable "{key}"')
                variables[variable] = content
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
            variables[item["name"]] = expanded(value, variables, room=room, what=f'The variable "{item["name"]}"')
    return {name: value for name, value in variables.items() if name and "=" not in name and "\0" not in name + value}


def expanded(text: str, environment: Mapping[str, str], *, room: Room, what: str) -> str:
    """Put variables in for ``$(NAME)`` as Kubernetes does; no shell ever sees the text, which ``what`` names.

    >>> expanded("$(A) $(B) $$(A)", {"A": "1"}, room=Room(), what="The argument")
    '1 $(B) $(A)'

    Raises:
        ConfigError: there is no room for what it comes to.
    """

    def value(match: re.Match[str]) -> str:
        return room.take(environment.get(match["name"], match[0]), what) if match["name"] else "$"

    return _REFERENCE.sub(value, room.take(text, what))
