"""The warnings that an API server sends with its answers, as ``Warning`` headers of RFC 7234.

They belong to an answer and are about what was written, so whoever writes wants them, several calls above the request.
`hearing` collects those of all requests of a block in this thread, as client-go's warning handler does for a client,
and no function between needs to hand them up.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from kubeai_notebook.core.masking import masked
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The API server sends 4 KiB of warnings at most.
_MOST, _LONGEST, _MOST_CHARACTERS = 20, 1000, 8192
_WARNING = re.compile(r'299 (?P<agent>\S{1,100}) "(?P<text>(?:[^"\\]|\\.){1,4000}+)"')


class ApiWarning(NamedTuple):
    """One warning: who says it, and what."""

    agent: str
    text: str


_heard: ContextVar[list[ApiWarning] | None] = ContextVar("heard", default=None)


@contextmanager
def hearing() -> Iterator[list[ApiWarning]]:
    """The warnings of all answers that come while the block runs, each once."""
    warnings: list[ApiWarning] = []
    token = _heard.set(warnings)
    try:
        yield warnings
    finally:
        _heard.reset(token)


def hear(headers: Iterable[str]) -> None:
    """Keep the warnings of an answer for whoever is `hearing`; ``headers`` are its ``Warning`` headers' values."""
    heard = _heard.get()
    if heard is None:
        return
    for header in headers:
        # http.client reads headers as Latin-1, and an API server writes UTF-8.
        text = header.encode("latin-1", "replace").decode("utf-8", "replace")
        for found in _WARNING.finditer(text[:_MOST_CHARACTERS]):
            words = re.sub(r"\\(.)", r"\1", found["text"])
            warning = ApiWarning(found["agent"], one_line(masked(words), _LONGEST))
            if warning not in heard and len(heard) < _MOST:
                heard.append(warning)
