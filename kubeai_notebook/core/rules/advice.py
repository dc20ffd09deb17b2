"""Advice: what the API server lets through and the user should know before it fails in silence."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook.core.source import Source, parse_source
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.core.model_spec import ModelSpec

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Advice:
    """One trap. An error keeps the Model from serving as asked; a warning does not, or rests on a guess."""

    severity: Severity
    field: str
    """The ModelSpec's field, as in ``adapters[0].url``."""
    code: str
    """The code of the Finding to come, where there is one."""
    message: str
    """What will happen. It never shows a value that may be secret."""
    fix: str
    """One step."""
    # Repeats lists of the user's own Model, which may hold a secret: it is sent, never shown.
    patch: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False, hash=False)
    """An RFC 7386 merge patch on the Model that takes the step."""


def error(field: str, code: str, message: str, *, fix: str, patch: Mapping[str, Any] | None = None) -> Advice:
    """Advice without which the Model will not serve."""
    return Advice("error", field, code, message, fix, patch and {"spec": patch})


def warning(field: str, code: str, message: str, *, fix: str, patch: Mapping[str, Any] | None = None) -> Advice:
    """Advice that may be left alone."""
    return Advice("warning", field, code, message, fix, patch and {"spec": patch})


@dataclass(frozen=True, slots=True)
class Flag:
    """One option among the engine's arguments."""

    index: int
    name: str
    """Without dashes in front; ``_`` and ``-`` are one to the engines."""
    value: str | None


@dataclass(frozen=True)
class Subject:
    """A ModelSpec and what several traps ask of it, worked out once."""

    spec: ModelSpec

    @cached_property
    def source(self) -> Source | None:
        """The parsed url; none when it cannot be parsed."""
        try:
            return parse_source(self.spec.url)
        except SpecError:
            return None

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """The engine's arguments that are options, written ``--name=value`` or ``--name``, ``value``."""
        return tuple(_flags(self.spec.args))

    def number(self, flag: str) -> int | None:
        """The whole number that an option is set to, the last one counting."""
        values = [found.value for found in self.flags if found.name == flag]
        value = values[-1] if values else None
        # No engine takes more digits, and Python reads no more than some thousand.
        return int(value) if value and value.isdecimal() and len(value) < 10 else None

    @cached_property
    def parallel(self) -> int | None:
        """How many GPUs the arguments ask for; none when they say nothing."""
        tensor, pipeline = self.number("tensor-parallel-size"), self.number("pipeline-parallel-size")
        return None if tensor is None and pipeline is None else (tensor or 1) * (pipeline or 1)

    @cached_property
    def unit(self) -> tuple[str, int]:
        """Name and multiple of the profile; ``("", 0)`` when it is malformed."""
        name, colon, multiple = self.spec.resource_profile.partition(":")
        good = bool(name and colon) and multiple.isascii() and multiple.isdecimal() and len(multiple) < 10
        return (name, int(multiple)) if good else ("", 0)


def _flags(args: tuple[str, ...]) -> Iterator[Flag]:
    for index, word in enumerate(args):
        if word.startswith("-") and word.strip("-"):
            name, equals, value = word.lstrip("-").partition("=")
            after = args[index + 1] if index + 1 < len(args) else "-"
            yield Flag(
                index,
                _SHORT.get(word, name).replace("_", "-"),
                value if equals else None if after[:1] == "-" else after,
            )


_SHORT = {"-tp": "tensor-parallel-size", "-pp": "pipeline-parallel-size"}
