"""What crosses between the kernel and the widget that tries a Model which ranks texts or writes down recordings.

A recording is no part of it: its bytes cross beside the request.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .embedding_wire import Row, Typed  # noqa: TC001 - pydantic reads them
from .wire import Words  # noqa: TC001 - as above

MOST_TEXTS = 100
"""Typed texts that are ranked: more of them lie in a frame already."""
MOST_BYTES = 8 << 20
"""Of a recording that a browser sends: a message to a kernel may have 10 MiB."""

Kind = Literal["rank", "transcribe"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrialRequest(_Part):
    """What is asked of the Model."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    verb: Kind
    query: Typed = ""
    texts: Annotated[list[Typed], Field(max_length=MOST_TEXTS)] = []
    file: Annotated[str, Field(max_length=1000)] = ""
    """The recording's name."""


class TrialState(_Part):
    """The trial at one moment."""

    model: Words
    kind: Kind
    code: Words
    """Python that asks the same."""
    most_texts: int = MOST_TEXTS
    most_bytes: int = MOST_BYTES
    query: Words = ""
    ranked: tuple[Row, ...] = ()
    """The best first."""
    file: Words = ""
    transcript: Words = ""
    """What is said in the recording."""
    busy: Words = ""
    """What goes on."""
    problem: Words = ""
    """Why the last request failed, and what to do."""


class TrialWidget(BaseModel):
    """All of it, for `jlpm types`."""

    state: TrialState
    request: TrialRequest
