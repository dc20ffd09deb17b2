"""Text in which rules look: a log, or the one message of an Event, condition or status."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import text_at

from .cleaning import clean
from .harmless import small, without_harmless

if TYPE_CHECKING:
    import re

    from kubeai_notebook.core.notice import EvidenceKind
    from kubeai_notebook.core.objects import Container, Event, Pod

    from .scene import Scene


_TAKES_REQUESTS = ("application startup complete", "uvicorn running on")


@dataclass(frozen=True)
class Passage:
    """Cleaned text from one source.

    No line of it holds a line break, whoever wrote the text: rules find a line by its number among the lowered ones.
    """

    kind: EvidenceKind
    where: str
    lines: tuple[str, ...]
    reason: str = ""
    """The reason of an Event, a waiting container or a condition."""
    source: str = ""
    """The component that wrote an Event."""

    def __post_init__(self) -> None:
        if any("\n" in line for line in self.lines):
            object.__setattr__(self, "lines", tuple(one_line(line) for line in self.lines))

    @cached_property
    def lowered(self) -> tuple[str, ...]:
        """The lines in small letters, one byte a letter: searching those is several times faster."""
        return small(self.lines)

    @cached_property
    def haystack(self) -> str:
        """The different lowered lines as one text: a failure is told several times over, once is enough to search."""
        return "\n".join(dict.fromkeys(self.lowered))

    @cached_property
    def begins_to_listen(self) -> int:
        """The number of the first line that says that the engine takes requests, or how many lines there are."""
        listening = (at for at, line in enumerate(self.lowered) if any(words in line for words in _TAKES_REQUESTS))
        return next(listening, len(self.lowered))

    @cached_property
    def matches(self) -> dict[tuple[str, int], re.Match[str] | None]:
        """What was found by which pattern in which line, as far as somebody asked."""
        return {}


def one_line(message: str) -> str:
    """A message without its line breaks, so that a rule sees all of it."""
    return " ".join(message.split())


def log_passage(scene: Scene, pod: Pod) -> Passage | None:
    """The log of the Pod's newest run without its harmless lines."""
    tail = scene.log_of(pod)
    if tail is None or not isinstance(tail.text, str):
        return None
    return Passage("log", f"{pod.name}/{tail.container}", without_harmless(clean(tail.text)))


def event_passage(event: Event) -> Passage:
    """An Event's message."""
    return Passage(
        "event", f"{event.reason} {event.name}".strip(), (one_line(event.message),), event.reason, event.source
    )


def condition_passage(pod: Pod, kind: str) -> Passage | None:
    """The message of a Pod's condition of that type."""
    condition = pod.condition(kind)
    message = text_at(condition, "message")
    return (
        Passage("condition", f"{pod.name} {kind}", (one_line(message),), text_at(condition, "reason"))
        if message
        else None
    )


def worded(reason: str, message: str) -> str:
    """A reason with its message, of which the kubelet may give either alone."""
    return ": ".join(filter(None, (reason, message)))


def container_passages(container: Container, pod: Pod) -> tuple[Passage, ...]:
    """Why a container waits and how its last run ended, as the kubelet words it."""
    passages = []
    where = f"{pod.name}/{container.name}"
    if container.waiting:
        message = text_at(container.raw, "state", "waiting", "message")
        passages.append(Passage("status", where, (one_line(worded(container.waiting, message)),), container.waiting))
    for state in ("state", "lastState"):
        reason = text_at(container.raw, state, "terminated", "reason")
        message = text_at(container.raw, state, "terminated", "message")
        if reason or message:
            passages.append(Passage("status", where, (one_line(worded(reason, message)),), reason))
    return tuple(passages)
