"""The Events of one Model as a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.objects import LONG_AGO, Event, text_at
from kubeai_notebook.text import plain

from .plain_frame import PlainFrame

if TYPE_CHECKING:
    from kubeai_notebook.core.view import View

COLUMNS = ("last seen", "type", "reason", "object", "message", "count")


def events_frame(view: View) -> PlainFrame:
    """Events of the Model's Pods, Jobs and claims, the newest last; ``last seen`` is UTC, NaT where it is not known."""
    secrets = view.observation.secrets
    rows = [
        (
            pd.NaT if event.time == LONG_AGO else event.time,
            plain(text_at(event.raw, "type")),
            plain(event.reason),
            plain(event.name),
            plain(masked(event.message, secrets)),
            event.count,
        )
        for event in sorted(map(Event, view.observation.events), key=lambda event: event.order)
    ]
    frame = PlainFrame(rows, columns=list(COLUMNS))
    frame["last seen"] = pd.to_datetime(frame["last seen"], utc=True, errors="coerce")
    return frame
