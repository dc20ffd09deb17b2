"""The same prompts to two Models, or to a Model and its adapter, one after the other.

One request at a time: on one machine, or behind one replica, two that run at once measure each other. Both Models are
awake before the first is asked, so that no time holds a wait.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeai_notebook.core.chat_request import chat_request
from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.errors import KubeAIError, UsageError

from . import presenter
from .calling import awaken, check_serves
from .chatting import stream
from .mapping import target_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubeai_notebook.present.comparison_frame import Answered, ComparisonFrame

    from .connection import Connection

UNANSWERED = "Interrupted before an answer came."


class Side(NamedTuple):
    """One of those that are compared."""

    session: Connection
    name: str
    adapter: str = ""

    @classmethod
    def of(cls, session: Connection, model_id: str) -> Side:
        """The Model, or its adapter, that the gateway knows by this id."""
        return cls(session, *name_and_adapter(model_id))

    @property
    def id(self) -> str:
        """What the gateway is asked for.

        Raises:
            NotFoundError: there is no such Model.
            UsageError: it has no such adapter.
        """
        return target_of(self.session.publisher.view(self.name), self.adapter).model

    def wake(self, *, shown: bool) -> None:
        """Wait until it can be asked; errors as `awaken`, and CallError where it was served for something else."""
        check_serves(self.session, self.session.publisher.view(self.name), "TextGeneration")
        awaken(self.session, self.name, self.session.settings.wait_timeout_seconds, shown=shown)

    def ask(self, prompt: str, fields: Mapping[str, Any]) -> Answered:
        """Its answer, timed from when it is awake; errors as those of a chat."""
        from kubeai_notebook.present.comparison_frame import Answered

        own = {**fields, "adapter": self.adapter} if self.adapter else fields
        deltas, begun = stream(self.session, self.name, prompt, fields=own), time.monotonic()
        reply, seconds = deltas.whole(), time.monotonic() - begun
        return Answered(str(reply), seconds, reply.usage.completion_tokens if reply.usage else None)


def compare(
    sides: tuple[Side, Side], prompts: Sequence[str], fields: Mapping[str, Any], *, shown: bool = True
) -> ComparisonFrame:
    """A row for each prompt; a prompt that fails has its reason, and an interrupt keeps what has come.

    ``fields`` are those of a chat; ``shown`` says meanwhile how far it is.

    Raises:
        UsageError: there is no prompt, or one is empty, or both sides are the same.
        CallError, DeployError: one of them cannot be asked at all.
    """
    from kubeai_notebook.present.comparison_frame import comparison_frame

    if not prompts or not all(isinstance(prompt, str) and prompt.strip() for prompt in prompts):
        raise UsageError("compare() takes a prompt, or a list of prompts; none of them may be empty.")
    for prompt in prompts:  # what cannot be sent is told before anybody is woken
        chat_request(prompt, fields)
    first, second = (side.id for side in sides)
    if first == second:
        raise UsageError(f"Both sides are {first}.", "Name another Model, or an adapter as NAME_ADAPTER.")
    for side in sides:
        side.wake(shown=shown)
    return comparison_frame(prompts, _answers(sides, prompts, fields, shown=shown))


def _answers(
    sides: tuple[Side, Side], prompts: Sequence[str], fields: Mapping[str, Any], *, shown: bool
) -> dict[str, list[Answered]]:
    """Each side's answers, by its id; those that an interrupt kept from coming say so."""
    from kubeai_notebook.present.comparison_frame import Answered

    answers: dict[str, list[Answered]] = {side.id: [] for side in sides}
    names, line, begun, end = " and ".join(answers), presenter.face().line(), time.monotonic(), ""
    try:
        for number, prompt in enumerate(prompts, 1):
            for side_id, side in zip(answers, sides, strict=True):
                if shown:
                    line.put(f"{side_id} answers prompt {number} of {len(prompts)}.", is_news=False)
                answers[side_id].append(_answered(side, prompt, fields))
        end = f"{names} were compared in {time.monotonic() - begun:.1f} s."
    except KeyboardInterrupt:
        end = f"The comparison of {names} was interrupted after {time.monotonic() - begun:.1f} s."
        for made in answers.values():
            made.extend([Answered(error=UNANSWERED)] * (len(prompts) - len(made)))
    finally:
        if shown:
            line.end(end)
    return answers


def _answered(side: Side, prompt: str, fields: Mapping[str, Any]) -> Answered:
    """Its answer, or why there is none: what came of the other prompts is kept."""
    from kubeai_notebook.present.comparison_frame import Answered

    try:
        return side.ask(prompt, fields)
    except KubeAIError as error:
        return Answered(error=error.message)
