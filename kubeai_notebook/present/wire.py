"""What crosses to a browser; its TypeScript twin is made by ``make types``.

Names, messages and logs in it are other people's words: they become plain as they enter, for the widget, the snapshot
and the text alike.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from kubeai_notebook.text import plain

LONGEST = 20_000
"""Characters of one text on a card."""

Tone = Literal["good", "busy", "warn", "bad", "quiet", "gone"]
"""How a phase looks; each face has a sign and a colour for it."""


def _plain(text: object) -> object:
    return plain(text, LONGEST) if isinstance(text, str) else text


Words = Annotated[str, BeforeValidator(_plain)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CardFact(_Wire):
    """One row of what a Model is."""

    label: Words
    value: Words


class CardRemedy(_Wire):
    """What would cure a problem, as the card shows it."""

    id: str
    """What a browser sends back to have it applied: it stands for what the Remedy does."""
    number: int
    """From 1 up through all findings of the card: what ``--fix`` takes."""
    title: Words
    kind: Literal["change", "command", "advice"]
    how: Words = ""
    """The line of a cell that does it; nothing for advice."""


class CardFinding(_Wire):
    """One explained problem, as the card shows it."""

    code: str
    message: Words
    evidence: Words
    remedies: tuple[CardRemedy, ...] = ()


class Card(_Wire):
    """Everything that a status card shows of one Model; whoever shows it decides nothing."""

    name: Words
    namespace: Words
    where: Words = ""
    """The namespace and the cluster, such as ``team on prod`` or ``default on this machine``."""
    phase: Words
    """A word of the phase table, or ``Deleted``."""
    tone: Tone
    announcement: Words
    """What a screen reader says of this phase, at once when the tone is ``bad``."""
    detail: Words = ""
    """One sentence under the phase, such as ``Pulling weights: 41 of 93 MB``."""
    next_step: Words = ""
    """Who has to do what, where nothing goes on by itself."""
    note: Words = ""
    """What the last verb did, such as ``smol is served already; nothing was changed.``"""
    progress: float | None = None
    """0 to 1, only where it is measured."""
    phase_since_seconds: float = 0.0
    """Unix time at which this phase began; 0 where that is not known."""
    facts: tuple[CardFact, ...] = ()
    findings: tuple[CardFinding, ...] = ()
    link: Literal["live", "reconnecting", "closed"] = "live"
    link_since_seconds: float = 0.0
    sent_at_seconds: float = 0.0
    """Unix time at which the widget sent this, so that the reader's clock may be wrong."""
