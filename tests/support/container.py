"""What a container knows of itself, as the conditions of faults ask for it; shares no code with the diagnosis."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Object = dict[str, Any]

UNITS = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "m": 0.001}


class Container:
    """The words in which a condition is written: a container's args, env, resources, and what its Pod says of it."""

    def __init__(
        self, args: Sequence[str], env: Mapping[str, str], pod: Callable[[], Object], *, first: bool = True
    ) -> None:
        self._args = list(args)
        self._pod_of = pod
        self.env = env
        self.first_pod = first
        """Whether this is the first Pod in which the fault is played."""

    def arg(self, name: str, default: str | None = None) -> str | None:
        """The last value of ``--name=value`` or ``--name value``, ``""`` for a bare switch."""
        found = default
        for index, word in enumerate(self._args):
            key, equals, value = word.partition("=")
            if key.replace("_", "-") != name:
                continue
            after = self._args[index + 1] if index + 1 < len(self._args) else "-"
            found = value if equals else ("" if after.startswith("-") else after)
        return found

    def number(self, name: str, default: float = math.nan) -> float:
        """An argument as a number."""
        text = self.arg(name)
        return default if text is None else float(text)

    def resource(self, name: str) -> float:
        """How much of a resource the container may have, be it asked for or the limit."""
        given = self._pod["spec"]["containers"][0].get("resources", {})
        text = str({**given.get("requests", {}), **given.get("limits", {})}.get(name, 0))
        unit = next((unit for unit in UNITS if text.endswith(unit)), "")
        return float(text.removesuffix(unit)) * UNITS.get(unit, 1.0)

    @property
    def image(self) -> str:
        """The image that the Model asks for; the daemon only notes it, since it runs none."""
        return str(self._pod["metadata"].get("annotations", {}).get("kubeai-notebook/image-not-used", ""))

    @property
    def features(self) -> list[str]:
        words = self._pod["spec"]["containers"][0]["args"]
        return str(next(word for word in words if word.startswith("--features="))).partition("=")[2].split(",")

    @cached_property
    def _pod(self) -> Object:
        return self._pod_of()

    def holds(self, condition: str) -> bool:
        """Whether a condition, a Python expression over all of these, is true."""
        return bool(eval(condition, {}, _Words(self)))


class _Words(dict[str, Any]):
    """Names as they are needed: asking for the Pod costs a request."""

    def __init__(self, container: Container) -> None:
        super().__init__()
        self._container = container

    def __missing__(self, name: str) -> Any:
        if name.startswith("_") or (not hasattr(Container, name) and name not in vars(self._container)):
            raise KeyError(name)  # one of Python's own
        return getattr(self._container, name)
