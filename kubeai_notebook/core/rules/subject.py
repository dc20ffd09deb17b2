"""What the rules share: a spec with what several of them ask of it, and how they say what they find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.remedy import Change, Remedy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.source import Source


def error(field: str, code: str, message: str, *changes: Change, step: str) -> Notice:
    """A Notice of what keeps the Model from serving as asked; ``step`` cures it, and ``changes`` take that step.

    ``code`` is that of the Finding to come, where there is one. No value that may be secret is shown.
    """
    remedy = Remedy(title=step, changes=changes)
    return Notice(code=code, field=field, message=message, remedies=(remedy,))


def warning(field: str, code: str, message: str, *changes: Change, step: str) -> Notice:
    """A Notice that may be left alone, or rests on a guess."""
    return replace(error(field, code, message, *changes, step=step), severity="warning")


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

    @property
    def source(self) -> Source | None:
        """The url; None where KubeAI cannot read it."""
        url = self.spec.url
        return url if url.readable else None

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """The engine's arguments that are options, written ``--name=value`` or ``--name``, ``value``."""
        return tuple(_flags(self.spec.args))

    def number(self, flag: str) -> int | None:
        """The whole number that an option is set to, the last one counting."""
        values = [given.value for given in self.flags if given.name == flag]
        value = values[-1] if values else None
        # No engine takes more digits, and Python reads no more than some thousand.
        return int(value) if value and value.isdecimal() and len(value) < 10 else None

    @cached_property
    def parallel(self) -> int | None:
        """How many GPUs the arguments ask for; none when they say nothing."""
        tensor, pipeline = self.number("tensor-parallel-size"), self.number("pipeline-parallel-size")
        return None if tensor is None and pipeline is None else (tensor or 1) * (pipeline or 1)

    @property
    def unit(self) -> tuple[str, int]:
        """Name and multiple of the profile; ``("", 0)`` where KubeAI cannot read it."""
        profile = self.spec.resource_profile
        return ("", 0) if profile.multiple is None else (profile.name, profile.multiple)


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
