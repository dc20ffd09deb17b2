"""Case: one hit of a rule, and what it knows for the sentences and Remedies of that rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.objects import Pod

    from .scene import Scene
    from .text_source import Passage


@dataclass(frozen=True)
class Case:
    """A rule's hit: the passage, the line in it, and what can be filled into sentences."""

    scene: Scene
    passage: Passage
    index: int = 0
    pod: Pod | None = None
    taken: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The deciding line."""
        return self.passage.lines[self.index]

    @property
    def has_ended(self) -> bool:
        """Whether the container runs no more: an engine that goes on has done without what its warning missed.

        What Ollama's pull said in its probe has ended in any case: the container lives, and the pull does not.
        """
        return self.pod is None or self.passage.kind == "event" or not self.pod.main.running

    @property
    def had_started(self) -> bool:
        """Whether the engine took requests before this line: what it says then may be of one of them."""
        return self.passage.begins_to_listen < self.index

    def above(self, count: int) -> str:
        """The lowered lines before the deciding one."""
        return "\n".join(self.passage.lowered[max(0, self.index - count) : self.index])

    def frames(self, count: int) -> list[str]:
        """The lowered frames of Python's traceback among the lines before; the innermost is the last."""
        return [line for line in self.above(count).split("\n") if line.startswith('file "')]

    @cached_property
    def values(self) -> Mapping[str, str]:
        """Everything a sentence may name; only what is known is in it."""
        pod = {"pod": self.pod.name, "node": self.pod.node} if self.pod else {}
        everything = {**self.scene.values, **pod, **self.taken}
        return {key: value for key, value in everything.items() if value}
