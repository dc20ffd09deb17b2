"""Remedy: what would cure a problem, as data.

A remedy was once a closure that made a patch when it was called. It had no identity, so it was "the third one now",
and what was applied could differ from what was shown. As data it has an id made of what it does: the id goes to a
browser and comes back, and it means the same change or none.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from .arguments import with_argument, without_arguments
from .masking import masked_repr
from .merge_patch import merged
from .objects import map_at, texts_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal["change", "command", "advice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetArgument:
    """Put ``name=value`` into the Model's args (``name`` alone where the value is ``""``); ``None`` takes it out."""

    name: str
    value: str | None = ""

    __repr__ = masked_repr

    @property
    def item(self) -> str:
        """The item of the args, or the name of what is taken out."""
        return f"{self.name}={self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEnv:
    """Set a variable in the Model's env; ``None`` takes it out."""

    name: str
    value: str | None

    __repr__ = masked_repr

    @property
    def item(self) -> str:
        """``NAME=value``, or the name of what is taken out."""
        return self.name if self.value is None else f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetField:
    """Set one field of the Model's spec, by KubeAI's name (``resourceProfile``); ``None`` takes it out.

    A form has a name and secrets too, which are no part of a spec.
    """

    name: str
    # Its value may repeat a list of the user's own Model, which may hold a secret: it is sent, never shown.
    value: Any = field(repr=False, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something to run beside the Model: a verb of this package with its arguments, or a program.

    Each face words it: a notebook as a magic or ``!program``, a browser as a button or as text to copy.
    """

    verb: str = ""
    """A verb of ``session.verbs``, such as ``restart``; ``""`` where it is a program."""
    arguments: tuple[str, ...] = ()
    """Of the verb, or the program's argv with its name first."""
    into: tuple[tuple[str, ...], ...] = ()
    """The argv of each program that reads what the one before it wrote."""

    @property
    def line(self) -> str:
        """The command for a terminal, quoted for its shell; ``""`` for a verb, which each face words.

        >>> Command(arguments=("kubectl", "get", "secret", "my secret"), into=(("wc", "-l"),)).line
        "kubectl get secret 'my secret' | wc -l"
        """
        return "" if self.verb else " | ".join(shlex.join(argv) for argv in (self.arguments, *self.into))

    def addressed(self, kubectl: tuple[str, ...]) -> Command:
        """The command with the words that make kubectl reach one cluster, wherever kubectl is called."""
        if self.verb:
            return self
        return self._with(lambda argv: (*kubectl, *argv[1:]) if argv[:1] == ("kubectl",) else argv)

    def worded(self, word: Callable[[str], str]) -> Command:
        """The command with each of its words put through ``word``, such as a masking."""
        return self._with(lambda argv: tuple(map(word, argv)))

    def _with(self, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Command:
        return replace(self, arguments=change(self.arguments), into=tuple(map(change, self.into)))


Change = SetArgument | SetEnv | SetField


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What would cure a problem: changes of the Model, or one command, or neither, which is advice to a person."""

    title: str
    """A sentence that says what to do."""
    changes: tuple[Change, ...] = ()
    command: Command | None = None

    @property
    def kind(self) -> Kind:
        """What a face can do with it."""
        return "change" if self.changes else "command" if self.command else "advice"

    @property
    def id(self) -> str:
        """128 bits that stand for what it does, as hexadecimal digits; of advice, for what it says.

        A log chooses words of it, and must not find two changes with one id.

        >>> wider = Remedy(title="Set it.", changes=(SetArgument(name="--max-model-len", value="8192"),))
        >>> wider.id == Remedy(title="Other words.", changes=wider.changes).id
        True
        """
        steps: Any = [[type(step).__name__, asdict(step)] for step in (*self.changes, self.command) if step]
        text = json.dumps(steps or self.title, sort_keys=True, default=str)
        return sha256(text.encode()).hexdigest()[:32]

    def addressed(self, kubectl: tuple[str, ...]) -> Remedy:
        """The Remedy with a command that reaches one cluster from any terminal."""
        return replace(self, command=self.command.addressed(kubectl)) if self.command else self

    def patch(self, model: Mapping[str, Any]) -> dict[str, Any]:
        """The RFC 7386 merge patch that makes its changes to this Model; ``{}`` where they are made already."""
        before = map_at(model, "spec")
        spec: dict[str, Any] = {}
        for change in self.changes:
            spec = {**spec, **_fields(change, merged(before, spec), spec)}
        return {"spec": spec} if spec else {}


def _fields(change: Change, now: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the patch that make one change; none where it is made already."""
    if isinstance(change, SetField):
        return {} if now.get(change.name) == change.value else {change.name: change.value}
    if isinstance(change, SetEnv):
        same = map_at(now, "env").get(change.name) == change.value
        return {} if same else {"env": {**map_at(spec, "env"), change.name: change.value}}
    args = texts_at(now, "args")
    if change.value is None:
        kept, gone = without_arguments(args, [change.name])
        return {"args": kept or None} if gone else {}
    changed = with_argument(args, change.name, change.item)
    return {} if changed == list(args) else {"args": changed}
