"""The warnings that an API server sends with its answers, as ``Warning`` headers of RFC 7234.

They belong to an answer and are about what was written, so whoever writes wants them, several calls above the request.
`hearing` collects those of all requests of a block in this thread, as client-go's warning handler does for a client,
and no function between needs to hand them up. An answer, a refusal as well as a warning, may also quote what was
written; so whoever writes names the secrets in it, which `quoted_secrets` gives to whoever reads the answer.
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
_secrets: ContextVar[tuple[str, ...]] = ContextVar("secrets", default=())


@contextmanager
def hearing(secrets: Iterable[str] = ()) -> Iterator[list[ApiWarning]]:
    """The warnings of all answers that come while the block runs, each once; no answer in it shows the ``secrets``."""
    warnings: list[ApiWarning] = []
    heard, known = _heard.set(warnings), _secrets.set(tuple(secrets))
    try:
        yield warnings
    finally:
        _heard.reset(heard)
        _secrets.reset(known)


def quoted_secrets() -> tuple[str, ...]:
    """What an answer may quote and nobody may read: the secrets of what is being written."""
    return _secrets.get()


def hear(headers: Iterable[str]) -> None:
    """Keep the warnings of an answer for whoever is `hearing`; ``headers`` are its ``Warning`` headers' values."""
    heard = _heard.get()
    if heard is None:
        return
    for header in headers:
        # http.client reads headers as Latin-1, and an API server writes UTF-8.
        text = header.encode("latin-1", "replace").decode("utf-8", "replace")
        for match in _WARNING.finditer(text[:_MOST_CHARACTERS]):
            words = re.sub(r"\\(.)", r"\1", match["text"])
            warning = ApiWarning(match["agent"], one_line(masked(words, quoted_secrets()), _LONGEST))
            if warning not in heard and len(heard) < _MOST:
                heard.append(warning)
