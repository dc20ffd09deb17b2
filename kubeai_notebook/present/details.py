"""What a card unfolds of a Model: its newest Events and the end of its engine's log, plain, masked and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.messages import duration
from kubeai_notebook.core.objects import LONG_AGO, Event, created_at, map_at, text_at

from .stake import counted
from .wire import LONGEST, Details, EventLine

if TYPE_CHECKING:
    from datetime import datetime

    from kubeai_notebook.core.view import View

    from .log import Log

MOST_EVENTS = 10
LOG_LINES = 50
LEAST_IDLE_SECONDS = 60.0
"""A Model that was used within this time is in use."""


def details_of(view: View, log: Log | None, problem: str = "") -> Details:
    """The details of one View; ``problem`` says why there is no log."""
    return Details(
        events=event_lines(view)[:MOST_EVENTS],
        log=log[-LONGEST:] if log is not None else "",
        pod=log.pod if log is not None else "",
        problem=problem,
    )


def event_lines(view: View) -> tuple[EventLine, ...]:
    """All Events of one View, the newest first."""
    secrets = view.observation.secrets
    events = sorted(map(Event, view.observation.events), key=lambda event: event.order, reverse=True)
    return tuple(_line(event, secrets) for event in events)


def _line(event: Event, secrets: tuple[str, ...]) -> EventLine:
    times = f" ({event.count} times)" if event.count > 1 else ""
    at_seconds = 0.0 if event.time == LONG_AGO else event.time.timestamp()
    return EventLine(at_seconds=at_seconds, text=f"{event.reason}: {masked(event.message, secrets)}{times}")


def idle_text(view: View, idle_seconds: float | None, now: datetime) -> str:
    """What a Model holds that nobody uses, such as ``47 min on 1 Pod of l4:1``; ``""`` where that is not known.

    ``idle_seconds``: for how long it had no request, as far as that is known; it may be older than the Model.
    """
    created, profile = created_at(view.model), text_at(map_at(view.model, "spec"), "resourceProfile")
    if idle_seconds is None or not (created and profile and view.status.ready):
        return ""
    idle = min(idle_seconds, (now - created).total_seconds())
    held = f"{counted(view.status.ready, 'Pod')} of {profile}"
    return f"{duration(idle)} on {held}" if idle >= LEAST_IDLE_SECONDS else ""
