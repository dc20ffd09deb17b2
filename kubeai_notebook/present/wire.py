"""What crosses to a browser; its TypeScript twin is made by ``make types``.

Names, messages and logs in it are other people's words: they become plain as they enter, for the widget, the snapshot
and the text alike.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

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


Verb = Literal["fix", "scale", "pause", "resume", "restart", "delete"]
"""What a browser may have done to a Model."""
Question = Literal["look", "idle", "show"]
"""What it may ask of one: its Events and log, for how long nobody used it, and to show a row's card or a card's
playground."""


class Request(_Wire):
    """What a browser asks of a Model that its widget shows."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    """Chosen by the browser, for it to know the answer by."""
    verb: Verb | Question
    name: Annotated[str, Field(max_length=253)] = ""
    """Of a table, the Model's; a card knows its own."""
    uid: Annotated[str, Field(max_length=64)] = ""
    """Of the Model that was shown: nothing is done to another one that has its name by now."""
    replicas: Annotated[int, Field(ge=0, le=10_000)] = 0
    remedy_id: Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")] = ""
    resource_version: Annotated[str, Field(max_length=64)] = ""
    """Of the Model on which a fix was shown; it is refused where the Model asks for something else by now."""
    yes: bool = False
    """Also where somebody else served the Model."""
    dry_run: bool = False
    """Only say what would be done."""


class NoticeLine(_Wire):
    """Something wrong or doubtful, as a widget shows it under its field."""

    code: str
    severity: Literal["error", "warning", "info"] = "error"
    field: Words = ""
    message: Words
    remedy: Words = ""
    """The next steps, in a line."""


class EventLine(_Wire):
    """What happened to a Model's Pods."""

    at_seconds: float
    """Unix time at which it was last seen; 0 where that is not known."""
    text: Words


class Details(_Wire):
    """The newest Events, the last one first, and the end of the engine's log."""

    events: tuple[EventLine, ...] = ()
    log: Words = ""
    pod: Words = ""
    """Whose log it is."""
    problem: Words = ""
    """Why there is no log."""


class RequestProgress(_Wire):
    """How a `Request` stands."""

    id: str
    state: Literal["queued", "doing", "done", "failed"]
    note: Words = ""
    """What was done, or what a dry run would take away."""
    diff: tuple[Words, ...] = ()
    """What changes, one line a field."""
    restarts: bool = False
    """Whether Pods are replaced."""
    resource_version: str = ""
    """Of the Model that a dry run was computed on."""
    details: Details | None = None
    notices: tuple[NoticeLine, ...] = ()
    """Why it failed."""


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


class CardStep(_Wire):
    """One step of a Model's start."""

    phase: Words
    state: Literal["over", "now", "failed", "next"]
    seconds: float | None = None
    """How long it took; nothing while it goes on, and where that is not known."""
    last_seconds: float | None = None
    """How long it took the last time that such a Model was started from here."""


class Card(_Wire):
    """Everything that a status card shows of one Model; whoever shows it decides nothing."""

    name: Words
    namespace: Words
    uid: Words = ""
    """The Model's own, which a `Request` carries; nothing where it is gone."""
    where: Words = ""
    """The namespace and the cluster, such as ``in team on prod`` or ``on this machine``."""
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
    steps: tuple[CardStep, ...] = ()
    """Those of the newest Pod's start."""
    facts: tuple[CardFact, ...] = ()
    findings: tuple[CardFinding, ...] = ()
    verbs: tuple[Verb, ...] = ()
    """What can be done to it now, by buttons."""
    playground: bool = False
    """Whether there is one to try it in."""
    replicas: int = 0
    """How many are wanted."""
    link: Literal["live", "reconnecting", "closed"] = "live"
    link_since_seconds: float = 0.0
    sent_at_seconds: float = 0.0
    """Unix time at which the widget sent this, so that the reader's clock may be wrong."""


class ModelRow(_Wire):
    """One Model in the live table."""

    name: Words
    uid: Words = ""
    """As that of a `Card`."""
    phase: Words
    tone: Tone
    ready: int
    desired: int
    engine: Words
    features: Words
    profile: Words
    created_seconds: float
    """Unix time; 0 where it is not known."""
    problem: Words
    """The first Finding's message."""


class ModelsTable(_Wire):
    """All Models of a namespace at one moment."""

    where: Words
    rows: tuple[ModelRow, ...] = ()
    link: Literal["live", "reconnecting", "closed"] = "live"
    link_since_seconds: float = 0.0
    sent_at_seconds: float = 0.0
